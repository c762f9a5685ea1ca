-- Anchors: which transactions' events are covered by which signed Merkle root, and the day totals
-- folded on the way.
--
-- Invariant: an anchor covers every event of the transactions from `after` to before `through`, and
-- the next one begins at its `through`; its number, and so its fold, exists once. What it says is
-- signed and written to a store of write-once objects before its row is.

-- The transaction that wrote an event. Numbers are handed out before locks are waited for, so an
-- account's events need not be in their order; but below the oldest transaction still running
-- nothing can appear any more, and that is how far an anchor reaches. 0: brought by a move of the
-- slot from another shard, whose anchors and day totals have it.
ALTER TABLE ledger.ledger_event
  ADD COLUMN xact bigint NOT NULL DEFAULT pg_current_xact_id()::text::bigint;
-- The log is written in nearly this order, so a summary of each block range finds a minute's events.
CREATE INDEX ledger_event_by_xact ON ledger.ledger_event USING brin (xact)
  WITH (pages_per_range = 16, autosummarize = on);

CREATE TABLE ledger.anchor (
  number   bigint PRIMARY KEY CHECK (number > 0),
  after    bigint NOT NULL,
  through  bigint NOT NULL CHECK (through >= after),
  size     bigint NOT NULL,                   -- leaves of the shard's tree up to and with this anchor
  root     bytea NOT NULL,
  frontier bytea NOT NULL,                    -- what the tree grows on from (domain/merkle.py)
  at       timestamptz NOT NULL
);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.anchor
  FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();

-- Postings of the events that are anchored, by the day of the event in India. No fill waits for a
-- row of the house's: these rows are written by the anchors alone.
CREATE TABLE ledger.day_total (
  day     date NOT NULL,
  account text NOT NULL,
  asset   text NOT NULL,
  debits  numeric(38) NOT NULL,               -- sum of the negative amounts, without their sign
  credits numeric(38) NOT NULL,               -- sum of the positive ones: what is owed to a client
  lines   bigint NOT NULL,
  PRIMARY KEY (asset, day, account)
);

-- How far the next anchor reaches and the packed heads (user, seq, hash: 48 bytes each, by user) of
-- the accounts that moved. At most about p_most events; empty when none did.
CREATE FUNCTION ledger.changed_heads(p_after bigint, p_most integer)
RETURNS TABLE (through bigint, heads bytea)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE v_oldest bigint := pg_snapshot_xmin(pg_current_snapshot())::text::bigint; v_last bigint;
BEGIN
  IF p_after > v_oldest AND p_after > pg_snapshot_xmax(pg_current_snapshot())::text::bigint THEN
    -- Copied into a younger server by dump and restore: its numbers would hide what comes now.
    RAISE EXCEPTION 'anchored through transaction %, but this server is at %', p_after, v_oldest
      USING ERRCODE = 'OC409';
  END IF;
  SELECT max(x.xact) INTO v_last FROM (SELECT e.xact FROM ledger.ledger_event e
    WHERE e.xact >= greatest(p_after, 1) AND e.xact < v_oldest ORDER BY e.xact LIMIT p_most) x;
  through := coalesce(v_last + 1, p_after);
  -- The head is the end of the log that is here: an account whose slot has left since has no row.
  SELECT string_agg(int8send(u.user_id) || int8send(h.seq) || h.hash, '' ORDER BY u.user_id)
    INTO heads FROM (SELECT DISTINCT e.user_id FROM ledger.ledger_event e
      WHERE e.xact >= greatest(p_after, 1) AND e.xact < changed_heads.through) u,
    LATERAL (SELECT x.seq, x.hash FROM ledger.ledger_event x WHERE x.user_id = u.user_id
      ORDER BY x.seq DESC LIMIT 1) h;
  heads := coalesce(heads, '');
  RETURN NEXT;
END $$;

-- Records the next anchor and folds its postings; false when this one is recorded already.
CREATE FUNCTION ledger.record_anchor(p_number bigint, p_after bigint, p_through bigint, p_size bigint,
    p_root bytea, p_frontier bytea, p_at timestamptz)
RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE v_before ledger.anchor;
BEGIN
  INSERT INTO ledger.anchor VALUES (p_number, p_after, p_through, p_size, p_root, p_frontier, p_at)
    ON CONFLICT (number) DO NOTHING;
  IF NOT FOUND THEN RETURN false; END IF;
  SELECT * INTO v_before FROM ledger.anchor x WHERE x.number = p_number - 1;
  IF coalesce(v_before.through, 0) <> p_after OR coalesce(v_before.size, 0) > p_size
      OR (v_before.number IS NULL AND p_number <> 1)
      OR p_through > pg_snapshot_xmin(pg_current_snapshot())::text::bigint THEN
    RAISE EXCEPTION 'anchor % does not follow the one before it', p_number USING ERRCODE = 'OC409';
  END IF;
  INSERT INTO ledger.day_total AS d
    SELECT (e.at AT TIME ZONE 'Asia/Kolkata')::date, p.account, p.asset,
      coalesce(-sum(p.amount) FILTER (WHERE p.amount < 0), 0),
      coalesce(sum(p.amount) FILTER (WHERE p.amount > 0), 0), count(*)
    FROM ledger.ledger_event e JOIN ledger.posting p USING (user_id, seq)
    WHERE e.xact >= greatest(p_after, 1) AND e.xact < p_through GROUP BY 1, 2, 3
    ON CONFLICT (asset, day, account) DO UPDATE SET debits = d.debits + excluded.debits,
      credits = d.credits + excluded.credits, lines = d.lines + excluded.lines;
  RETURN true;
END $$;

GRANT EXECUTE ON FUNCTION ledger.changed_heads, ledger.record_anchor TO outcry_app;
