-- Where users live: 64 slots by user_id, each at home on one shard, and the fence of a slot that moves.
--
-- Invariants kept here:
--   * At most one shard says HERE for a slot. Whatever writes a user's rows enters the slot first and
--     holds it, shared, until its transaction ends; a move takes it alone, says LEAVING, and from that
--     commit on nothing of the slot changes here.
--   * A shard that isn't a slot's home refuses reads and writes of its users (OC421): a caller with
--     an old directory is told so and never sees old or half-copied rows.
--   * ledger.slot is the truth of its shard; the directory on shard 0 says where to ask.

-- How a process reaches a shard that it was not told of at its start: HOST:PORT/DATABASE. The role
-- and its password are the same on every shard. Shard 0's rows count.
CREATE TABLE ledger.shard (
  shard   smallint PRIMARY KEY CHECK (shard >= 0),
  address text NOT NULL
);

-- The directory. Shard 0's rows count.
CREATE TABLE ledger.slot_home (
  slot  smallint PRIMARY KEY CHECK (slot BETWEEN 0 AND 63),
  shard smallint NOT NULL,
  epoch integer NOT NULL                      -- grows with every move
);

-- HERE: at home on this shard. LEAVING: fenced, its rows are being copied away. ARRIVING: its rows
-- are all here, its old home may not have let go yet. GONE: lives elsewhere; append-only rows of it
-- that are here are an archive, or the beginning of a copy.
CREATE TABLE ledger.slot (
  slot  smallint PRIMARY KEY CHECK (slot BETWEEN 0 AND 63),
  state text NOT NULL CHECK (state IN ('HERE', 'LEAVING', 'GONE', 'ARRIVING')),
  epoch integer NOT NULL
);

CREATE INDEX account_by_slot ON ledger.account ((user_id & 63), user_id);

-- For writers: enters the user's slot until the transaction ends. Two statements, because the second
-- needs a snapshot from after the lock was granted: one from before might still say HERE.
-- True, or OC421. (A value, so that the caller's expression needs no statement of its own.)
CREATE FUNCTION ledger.enter_slot(p_user bigint) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  IF NOT pg_try_advisory_xact_lock_shared(421, (p_user & 63)::integer) THEN
    RAISE EXCEPTION 'slot % is being fenced', p_user & 63 USING ERRCODE = 'OC421';
  END IF;
  IF NOT EXISTS (SELECT FROM ledger.slot s WHERE s.slot = (p_user & 63)::smallint
      AND s.state = 'HERE') THEN
    RAISE EXCEPTION 'slot % is not here', p_user & 63 USING ERRCODE = 'OC421';
  END IF;
  RETURN true;
END $$;

-- For readers: true, or OC421. STABLE, so that it looks with the snapshot of the statement it guards:
-- rows read by a statement that saw HERE are the slot's latest as of that statement.
CREATE FUNCTION ledger.at_home(p_slot integer) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
BEGIN
  IF NOT EXISTS (SELECT FROM ledger.slot s WHERE s.slot = p_slot::smallint AND s.state = 'HERE') THEN
    RAISE EXCEPTION 'slot % is not here', p_slot USING ERRCODE = 'OC421';
  END IF;
  RETURN true;
END $$;

GRANT SELECT ON ledger.shard, ledger.slot_home, ledger.slot TO outcry_app, outcry_edge;
GRANT EXECUTE ON FUNCTION ledger.at_home TO outcry_app, outcry_edge;
