-- Who does the work that one process alone does at a time: a FIX session, the hand-on of a shard's
-- outbox, the watch over waiting orders. A lease of shard 0, but `relay`: each shard has its own.
--
-- Invariant: `fence` grows with every taking, and a write that names a fence stands only while no
-- later one was given out. Times are this database's alone. A lease that ran out is its holder's
-- still until somebody takes it: nothing was done in between that it would have to know of.
CREATE SCHEMA edge;

CREATE TABLE edge.lease (
  name       text PRIMARY KEY,
  holder     text NOT NULL,                   -- the place of a process; one process is there at a time
  fence      bigint NOT NULL,
  expires_at timestamptz NOT NULL
);

-- All of them or none, with one fence for all; NULL while another holder has one of them. A holder's
-- next process takes over at once: whatever its last one still does is fenced.
CREATE FUNCTION edge.take_leases(p_names text[], p_holder text, p_for interval) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE v_fence bigint;
BEGIN
  FOR look IN 1..2 LOOP  -- without the locks, that who waits writes nothing; and again with them
    IF EXISTS (SELECT FROM edge.lease l WHERE l.name = ANY(p_names) AND l.holder <> p_holder
        AND l.expires_at > clock_timestamp()) THEN
      RETURN NULL;
    END IF;
    CONTINUE WHEN look = 2;
    INSERT INTO edge.lease SELECT n, p_holder, 0, '-infinity' FROM unnest(p_names) n ORDER BY n
      ON CONFLICT DO NOTHING;
    PERFORM FROM edge.lease l WHERE l.name = ANY(p_names) ORDER BY l.name FOR UPDATE;
  END LOOP;
  SELECT 1 + max(l.fence) INTO v_fence FROM edge.lease l WHERE l.name = ANY(p_names);
  UPDATE edge.lease l SET holder = p_holder, fence = v_fence, expires_at = clock_timestamp() + p_for
    WHERE l.name = ANY(p_names);
  RETURN v_fence;
END $$;

-- False when one of them is another's by now; then none is prolonged.
CREATE FUNCTION edge.renew_leases(p_names text[], p_fence bigint, p_for interval) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM FROM edge.lease l WHERE l.name = ANY(p_names) ORDER BY l.name FOR UPDATE;
  IF EXISTS (SELECT FROM edge.lease l WHERE l.name = ANY(p_names) AND l.fence <> p_fence) THEN
    RETURN false;
  END IF;
  UPDATE edge.lease l SET expires_at = clock_timestamp() + p_for WHERE l.name = ANY(p_names);
  RETURN true;
END $$;

-- Their holder ends of itself: the next one need not wait.
CREATE FUNCTION edge.release_leases(p_names text[], p_fence bigint) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  UPDATE edge.lease SET expires_at = '-infinity' WHERE name = ANY(p_names) AND fence = p_fence
$$;

-- Nobody takes the lease before this transaction ends. Raises OC423 for one that is another's by now.
CREATE FUNCTION edge.hold_lease(p_name text, p_fence bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM FROM edge.lease l WHERE l.name = p_name AND l.fence = p_fence FOR SHARE;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'the lease % was taken by another process', p_name USING ERRCODE = 'OC423';
  END IF;
END $$;

-- The relay has handed these rows on.
CREATE FUNCTION edge.take_out(p_ids bigint[], p_fence bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM edge.hold_lease('relay', p_fence);
  DELETE FROM ledger.outbox o WHERE o.id = ANY(p_ids);
END $$;

-- A venue that begins a session's numbers anew makes positions of before and after different things:
-- each numbering has a name of its own in fix_checkpoint and fix_applied, the first the session's.
CREATE TABLE edge.numbering (
  session text PRIMARY KEY,
  number  integer NOT NULL
);

CREATE FUNCTION edge.begin_numbering(p_session text, p_fence bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM edge.hold_lease(p_session, p_fence);
  INSERT INTO edge.numbering AS n VALUES (p_session, 2)
    ON CONFLICT (session) DO UPDATE SET number = n.number + 1;
END $$;

-- Every report of the numbering up to there is applied, on all shards.
CREATE FUNCTION edge.move_checkpoint(p_numbering text, p_applied_through bigint, p_fence bigint)
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE v_through bigint;
BEGIN
  PERFORM edge.hold_lease(split_part(p_numbering, '#', 1), p_fence);
  INSERT INTO ledger.fix_checkpoint AS c VALUES (p_numbering, p_applied_through)
    ON CONFLICT (session) DO UPDATE
    SET applied_through = greatest(c.applied_through, excluded.applied_through)
    RETURNING applied_through INTO v_through;
  RETURN v_through;
END $$;

GRANT USAGE ON SCHEMA edge TO outcry_app, outcry_edge;
GRANT SELECT ON edge.lease, edge.numbering TO outcry_app, outcry_edge;
GRANT EXECUTE ON FUNCTION edge.take_leases, edge.renew_leases, edge.release_leases, edge.hold_lease,
  edge.take_out, edge.begin_numbering, edge.move_checkpoint TO outcry_edge;
