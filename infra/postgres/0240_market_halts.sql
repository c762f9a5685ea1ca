-- When the whole market stands still: what was said of each trade date. Shard 0 has the truth, and every
-- shard a copy of it, where orders are judged.
--
-- Invariants kept here:
--   * Statements are only added, one behind the other; the last one of a date stands. Each has a cause
--     that is unique on its date: a level of the breaker, a word of the venue's, an entry of the audit
--     trail. Said again, or by two at once, it is the same statement.
--   * An order is judged by what stands here, under its account's lock, whatever a cache knew of it.
CREATE TABLE ledger.market_halt (
  trade_date date NOT NULL,
  seq        integer NOT NULL CHECK (seq > 0),
  cause      text NOT NULL CHECK (length(cause) BETWEEN 1 AND 80),
  source     text NOT NULL CHECK (source IN ('VENUE', 'INDEX', 'OPERATOR')),
  level      integer NOT NULL CHECK (level BETWEEN 0 AND 100),  -- percent reached on the date; 0: none
  since      timestamptz NOT NULL,
  resumes_at timestamptz,                       -- the call auction begins; null: nobody has said when
  opens_at   timestamptz,                       -- and ends
  venue      text CHECK (venue IN ('HALTED', 'REOPENING')),     -- holds it, whatever the times say
  venue_at   timestamptz,                       -- when the venue last spoke of it
  said_at    timestamptz NOT NULL,
  text       text NOT NULL CHECK (length(text) BETWEEN 1 AND 1000),
  PRIMARY KEY (trade_date, seq),
  UNIQUE (trade_date, cause),
  CONSTRAINT market_halt_sane CHECK ((resumes_at IS NULL) = (opens_at IS NULL)
    AND opens_at >= resumes_at AND (venue IS NULL OR venue_at IS NOT NULL))
);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.market_halt
  FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();

-- Adds a statement (JSON with the columns) behind the last one of its date. Whether it stands there
-- now, said at this time or before; false when another came first: read, and think again.
CREATE FUNCTION ledger.say_halt(p_halt text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE h ledger.market_halt := jsonb_populate_record(NULL::ledger.market_halt, p_halt::jsonb);
BEGIN
  PERFORM pg_advisory_xact_lock(hashtext('ledger.market_halt'));
  INSERT INTO ledger.market_halt SELECT h.* WHERE h.seq = 1 + coalesce((SELECT max(x.seq)
    FROM ledger.market_halt x WHERE x.trade_date = h.trade_date), 0) ON CONFLICT DO NOTHING;
  RETURN EXISTS (SELECT FROM ledger.market_halt x
    WHERE x.trade_date = h.trade_date AND x.seq = h.seq AND x.cause = h.cause);
END $$;

-- The rule that the market's halt is for an order that would go to the venue at its updated_at, as an
-- array with it or none (functions/shared/domain/market_halts.py). Its call auction takes orders.
CREATE FUNCTION ledger.market_halt_rules(n ledger.orders) RETURNS jsonb LANGUAGE plpgsql STABLE AS $$
DECLARE h ledger.market_halt;
BEGIN
  SELECT * INTO h FROM ledger.market_halt x
    WHERE x.trade_date = (n.updated_at AT TIME ZONE 'Asia/Kolkata')::date ORDER BY x.seq DESC LIMIT 1;
  IF h.seq IS NULL OR n.status = 'TRIGGER_PENDING' OR n.updated_at < h.since OR h.venue = 'REOPENING'
    OR h.venue IS NULL AND n.updated_at >= h.resumes_at THEN
    RETURN '[]';
  END IF;
  RETURN jsonb_build_array(ledger.rule('MARKET_HALTED', h.text, h.level::text, coalesce(to_char(
    h.resumes_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), ''), 0));
END $$;

-- The rules of a verdict with those of the ledger behind them: a halt that both saw is told once.
CREATE FUNCTION ledger.joined_rules(p_said jsonb, p_more jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
  SELECT p_said || CASE WHEN p_said @> '[{"code": "MARKET_HALTED"}]' THEN coalesce((SELECT jsonb_agg(r)
    FROM jsonb_array_elements(p_more) r WHERE r ->> 'code' <> 'MARKET_HALTED'), '[]') ELSE p_more END
$$;

GRANT SELECT ON ledger.market_halt TO outcry_app, outcry_edge;
GRANT EXECUTE ON FUNCTION ledger.say_halt TO outcry_app, outcry_edge;
