-- The fraud watch: what it keeps of users and stocks, and its alerts. One region's shard 0.
--
-- Invariants kept here:
--   * What a batch of happenings changed and the alerts that it raised are written by one call
--     (surveillance.take_in), each user's only if nobody wrote it since it was read: a batch that comes
--     again changes nothing, and two readers never count one trade twice.
--   * An alert is one for its rule, user, stock and day. A reviewer decides it once, with an entry in the
--     audit trail, in one transaction.
--   * Users are numbers here; the marks that link them stay where logins are kept.
CREATE SCHEMA surveillance;
GRANT USAGE ON SCHEMA surveillance TO outcry_app;
ALTER DEFAULT PRIVILEGES IN SCHEMA surveillance GRANT SELECT ON TABLES TO outcry_app;

CREATE TABLE surveillance.watch (
  user_id bigint PRIMARY KEY,
  seq     bigint NOT NULL,                      -- of the ledger's latest event that is counted
  version bigint NOT NULL,
  state   text NOT NULL                         -- functions/shared/wire/surveillance.py
) WITH (fillfactor = 70);

CREATE TABLE surveillance.stock_day (           -- our clients' trades in a stock, and the market's
  symbol          text NOT NULL,
  day             date NOT NULL,
  quantity        bigint NOT NULL,
  value           bigint NOT NULL,              -- paise
  high            bigint NOT NULL,
  close           bigint NOT NULL,              -- of our latest trade
  market_quantity bigint NOT NULL DEFAULT 0,    -- 0: not known
  market_value    bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (symbol, day)
);

CREATE TABLE surveillance.trader_day (
  symbol       text NOT NULL,
  day          date NOT NULL,
  user_id      bigint NOT NULL,
  bought       bigint NOT NULL,
  bought_value bigint NOT NULL,
  sold         bigint NOT NULL,
  sold_value   bigint NOT NULL,
  PRIMARY KEY (symbol, user_id, day)
);

CREATE INDEX trader_day_by_day ON surveillance.trader_day (day);

CREATE TABLE surveillance.trail_place (         -- how far the audit trail has been read
  is_one   boolean PRIMARY KEY DEFAULT true CHECK (is_one),
  audit_id bigint NOT NULL
);
INSERT INTO surveillance.trail_place (audit_id) VALUES (0);

CREATE TABLE surveillance.alert (
  alert_id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  rule        text NOT NULL CHECK (rule IN ('WASH_TRADING', 'PUMP_AND_DUMP', 'ORDER_TO_TRADE', 'SPOOFING',
                                            'TAKEOVER', 'UNUSUAL')),
  user_id     bigint NOT NULL,                  -- of several linked ones, the one with the lowest number
  symbol      text NOT NULL,                    -- '': none
  day         date NOT NULL,
  raised_at   timestamptz NOT NULL,             -- business time
  score       integer NOT NULL CHECK (score BETWEEN 1 AND 100),
  reasons     jsonb NOT NULL,
  detail      jsonb NOT NULL,
  state       text NOT NULL DEFAULT 'OPEN' CHECK (state IN ('OPEN', 'ACCEPTED', 'DISMISSED')),
  decided_by  bigint,
  decided_at  timestamptz,
  decided_why text CHECK (length(decided_why) <= 500),
  measure     text CHECK (measure IN ('RESTRICT', 'LIFT')),   -- what is to be done where the user lives
  done_at     timestamptz,
  UNIQUE (rule, user_id, symbol, day),
  CHECK ((state = 'OPEN') = (decided_by IS NULL) AND (decided_by IS NULL) = (decided_at IS NULL))
);
CREATE INDEX alert_by_score ON surveillance.alert (state, score DESC, alert_id DESC);
CREATE INDEX alert_to_do ON surveillance.alert (alert_id) WHERE measure IS NOT NULL AND done_at IS NULL;

CREATE INDEX device_by_digest ON identity.device (digest);
CREATE INDEX place_by_network ON identity.place (network);

INSERT INTO identity.audit_action (action, meaning) VALUES
  ('ALERT_ACCEPTED', 'an alert of the fraud watch is followed up'),
  ('ALERT_DISMISSED', 'an alert of the fraud watch was none; what it restricted is free again');

-- Writes what a batch changed. p_watches: [{user_id, seq, version, state}], version the one that was read
-- (0: there was none); the others add to what is there. 40001 when any was written meanwhile.
CREATE FUNCTION surveillance.take_in(p_watches jsonb, p_stocks jsonb, p_traders jsonb, p_alerts jsonb,
  p_trail_from bigint, p_trail_to bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE v_written bigint;
BEGIN
  INSERT INTO surveillance.watch AS w SELECT x.user_id, x.seq, 1, x.state
    FROM jsonb_to_recordset(p_watches) AS x (user_id bigint, seq bigint, version bigint, state text)
    WHERE x.version = 0 ORDER BY x.user_id ON CONFLICT DO NOTHING;
  GET DIAGNOSTICS v_written = ROW_COUNT;
  PERFORM FROM surveillance.watch w JOIN jsonb_to_recordset(p_watches) AS x (user_id bigint)
    USING (user_id) ORDER BY w.user_id FOR UPDATE OF w;
  UPDATE surveillance.watch w SET seq = x.seq, version = x.version + 1, state = x.state
    FROM jsonb_to_recordset(p_watches) AS x (user_id bigint, seq bigint, version bigint, state text)
    WHERE w.user_id = x.user_id AND w.version = x.version AND x.version > 0;
  IF (SELECT v_written + count(*) <> jsonb_array_length(p_watches) FROM surveillance.watch w
      JOIN jsonb_to_recordset(p_watches) AS x (user_id bigint, version bigint)
        ON w.user_id = x.user_id AND w.version = x.version + 1 AND x.version > 0) THEN
    RAISE EXCEPTION 'a watch was written meanwhile' USING ERRCODE = '40001';
  END IF;
  IF p_trail_to > p_trail_from THEN
    UPDATE surveillance.trail_place SET audit_id = p_trail_to WHERE audit_id = p_trail_from;
    IF NOT FOUND THEN RAISE EXCEPTION 'the trail was read meanwhile' USING ERRCODE = '40001'; END IF;
  END IF;
  INSERT INTO surveillance.stock_day AS d SELECT x.* FROM jsonb_to_recordset(p_stocks) AS x (symbol text,
      day date, quantity bigint, value bigint, high bigint, close bigint, market_quantity bigint,
      market_value bigint) ORDER BY x.symbol, x.day
    ON CONFLICT (symbol, day) DO UPDATE SET quantity = d.quantity + excluded.quantity,
      value = d.value + excluded.value, high = greatest(d.high, excluded.high), close = excluded.close,
      market_quantity = greatest(d.market_quantity, excluded.market_quantity),
      market_value = greatest(d.market_value, excluded.market_value);
  INSERT INTO surveillance.trader_day AS d SELECT x.* FROM jsonb_to_recordset(p_traders) AS x (symbol text,
      day date, user_id bigint, bought bigint, bought_value bigint, sold bigint, sold_value bigint)
      ORDER BY x.symbol, x.user_id, x.day
    ON CONFLICT (symbol, user_id, day) DO UPDATE SET bought = d.bought + excluded.bought,
      bought_value = d.bought_value + excluded.bought_value, sold = d.sold + excluded.sold,
      sold_value = d.sold_value + excluded.sold_value;
  PERFORM surveillance.raise_alerts(p_alerts);
END $$;

-- New alerts; one that is there and open takes the higher score and its reasons.
CREATE FUNCTION surveillance.raise_alerts(p_alerts jsonb) RETURNS void LANGUAGE sql AS $$
  INSERT INTO surveillance.alert AS a (rule, user_id, symbol, day, raised_at, score, reasons, detail, measure)
    SELECT x.rule, x.user_id, x.symbol, x.day, x.raised_at, x.score, x.reasons, x.detail, x.measure
    FROM jsonb_to_recordset(p_alerts) AS x (rule text, user_id bigint, symbol text, day date,
      raised_at timestamptz, score integer, reasons jsonb, detail jsonb, measure text)
    ORDER BY x.rule, x.user_id, x.symbol, x.day
    ON CONFLICT (rule, user_id, symbol, day) DO UPDATE SET score = excluded.score,
      reasons = excluded.reasons WHERE a.state = 'OPEN' AND excluded.score > a.score
$$;

-- Who shares a device, a bank account, or a network that few share, with these users. A network that more than
-- p_network_most log in from is an office's or a carrier's, and links nobody.
CREATE FUNCTION surveillance.linked(p_users bigint[], p_network_most integer)
RETURNS TABLE (user_id bigint, other bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT d.user_id, o.user_id FROM identity.device d JOIN identity.device o USING (digest)
    WHERE d.user_id = ANY (p_users) AND o.user_id <> d.user_id
  UNION
  SELECT m.user_id, o.user_id FROM identity.bank_mark m JOIN identity.bank_mark o USING (digest)
    WHERE m.user_id = ANY (p_users) AND o.user_id <> m.user_id
  UNION
  SELECT p.user_id, o.user_id FROM identity.place p
    CROSS JOIN LATERAL (SELECT array_agg(n.user_id) AS users FROM (SELECT x.user_id FROM identity.place x
      WHERE x.network = p.network LIMIT p_network_most + 1) n) few
    CROSS JOIN LATERAL unnest(few.users) o (user_id)
    WHERE p.user_id = ANY (p_users) AND cardinality(few.users) <= p_network_most
      AND o.user_id <> p.user_id
$$;

-- A page of the audit trail behind an entry. Numbers are given before their transactions end: the lock
-- waits for those that write, so that none appears later behind what has been read.
CREATE FUNCTION surveillance.trail_after(p_after bigint, p_most integer)
RETURNS TABLE (audit_id bigint, at timestamptz, subject bigint, action text, detail text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
  LOCK TABLE identity.audit IN SHARE MODE;
  RETURN QUERY SELECT a.audit_id, a.at, a.subject, a.action, a.detail::text FROM identity.audit a
    WHERE a.audit_id > p_after ORDER BY a.audit_id LIMIT p_most;
END $$;

-- A reviewer's word. outcome: DONE, NOT_FOUND, ALERT_DECIDED (it was, before), or why they may not.
CREATE FUNCTION surveillance.decide_alert(p_alert bigint, p_state text, p_actor bigint, p_why text,
  p_network text, OUT outcome text, OUT audit_id bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE a surveillance.alert;
BEGIN
  outcome := identity.officer_refused(p_actor, 'risk_officer', NULL);
  IF outcome IS NOT NULL THEN RETURN; END IF;
  SELECT * INTO a FROM surveillance.alert x WHERE x.alert_id = p_alert FOR UPDATE;
  outcome := CASE WHEN a.alert_id IS NULL THEN 'NOT_FOUND'
    WHEN p_actor = a.user_id OR a.detail -> 'others' @> to_jsonb(p_actor::text) THEN 'OWN_ACCOUNT'
    WHEN a.state <> 'OPEN' THEN 'ALERT_DECIDED' END;
  IF outcome IS NOT NULL THEN RETURN; END IF;
  IF p_state NOT IN ('ACCEPTED', 'DISMISSED') THEN RAISE EXCEPTION 'no such decision: %', p_state; END IF;
  audit_id := identity.write_audit(p_actor, 'risk_officer', a.user_id, 'ALERT_' || p_state, p_network,
    NULL, p_why, jsonb_build_object('alert', p_alert::text, 'rule', a.rule, 'symbol', a.symbol,
      'score', a.score));
  UPDATE surveillance.alert x SET state = p_state, decided_by = p_actor, decided_at = clock_timestamp(),
    decided_why = p_why,
    measure = CASE WHEN p_state = 'DISMISSED' AND x.measure IS NOT NULL THEN 'LIFT' ELSE x.measure END,
    done_at = CASE WHEN p_state = 'DISMISSED' THEN NULL ELSE x.done_at END
    WHERE x.alert_id = p_alert;
  outcome := 'DONE';
END $$;

-- Whether what was done is still what was to be done: if not, something else is by now.
CREATE FUNCTION surveillance.finish_measure(p_alert bigint, p_measure text) RETURNS boolean
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  WITH done AS (UPDATE surveillance.alert x SET done_at = clock_timestamp()
    WHERE x.alert_id = p_alert AND x.measure = p_measure AND x.done_at IS NULL RETURNING 1)
  SELECT EXISTS (SELECT FROM done)
$$;

-- Forgets a page of what no rule looks back to; the trades themselves are in the ledger's log.
CREATE FUNCTION surveillance.forget_trades(p_before date, p_most integer) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  WITH gone AS (DELETE FROM surveillance.trader_day d USING (
      SELECT x.symbol, x.user_id, x.day FROM surveillance.trader_day x WHERE x.day < p_before
      ORDER BY x.day LIMIT p_most) o
    WHERE (d.symbol, d.user_id, d.day) = (o.symbol, o.user_id, o.day) RETURNING 1)
  SELECT count(*) FROM gone
$$;

GRANT EXECUTE ON FUNCTION surveillance.forget_trades, surveillance.take_in, surveillance.linked, surveillance.trail_after,
  surveillance.decide_alert, surveillance.finish_measure TO outcry_app;
