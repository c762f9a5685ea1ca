-- Stocks that an account may only close for a while, after the fraud watch found wash trades in them.
-- Every shard.
--
-- Invariants kept here:
--   * Each restriction is an event of the account's log, and so is its end. One alert restricts once and
--     is ended once, however often either is asked for.
--   * What restricts is looked at by whatever judges an order, under the account's lock (ledger.judge); no
--     clock decides there: a restriction holds until its end is an event.

CREATE TABLE ledger.symbol_restriction (
  user_id   bigint NOT NULL,
  alert_id  bigint NOT NULL,                    -- surveillance.alert, shard 0
  symbol    text NOT NULL,
  ends_at   timestamptz NOT NULL,
  seq       bigint NOT NULL,                    -- of the event that it is
  ended_seq bigint,                             -- and of the one that ended it
  PRIMARY KEY (user_id, alert_id),
  CONSTRAINT symbol_restriction_sane CHECK (ended_seq > seq AND symbol <> '')
);
CREATE INDEX symbol_restriction_in_force ON ledger.symbol_restriction (user_id, symbol)
  WHERE ended_seq IS NULL;
CREATE INDEX symbol_restriction_due ON ledger.symbol_restriction (ends_at, user_id, alert_id)
  WHERE ended_seq IS NULL;

CREATE FUNCTION ledger.append_restriction(a ledger.account, p_kind text, r ledger.symbol_restriction,
    p_alert json, p_now timestamptz) RETURNS ledger.account LANGUAGE sql AS $$
  SELECT ledger.append_event(a, p_kind, NULL, 0, 0, 0, p_now,
    coalesce('"alert":' || p_alert::text || ',', '') || '"restriction":' || json_build_object('alert_id', r.alert_id, 'symbol', r.symbol,
      'ends_at', ledger.micros(r.ends_at))::text, NULL, NULL)
$$;

-- Lets an account only close in a stock until p_ends_at. p_alert: what its user is told, as the order that
-- made the alert has it: order_id, side, price, round_trips. The seq of the event; null for an account of
-- class TEST, which is there to put load on and does the same all day.
CREATE FUNCTION ledger.restrict_symbol(p_user bigint, p_alert_id bigint, p_symbol text, p_alert jsonb,
    p_ends_at timestamptz, p_now timestamptz)
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE a ledger.account; r ledger.symbol_restriction;
BEGIN
  a := ledger.lock_account(p_user, '-infinity', p_now);
  SELECT * INTO r FROM ledger.symbol_restriction x
    WHERE x.user_id = p_user AND x.alert_id = p_alert_id;
  IF FOUND THEN RETURN r.seq; END IF;
  IF a.class = 'TEST' THEN RETURN NULL; END IF;
  r := ROW(p_user, p_alert_id, p_symbol, p_ends_at, a.seq + 1, NULL);
  a := ledger.append_restriction(a, 'SYMBOL_RESTRICTED', r, (p_alert || jsonb_build_object(
    'code', 'WASH_TRADING', 'symbol', p_symbol, 'until', ledger.micros(p_ends_at)))::json, p_now);
  INSERT INTO ledger.symbol_restriction SELECT (r).*;
  RETURN a.seq;
END $$;

-- Ends it. The seq of the event; null when no such restriction is, or it has ended before.
CREATE FUNCTION ledger.end_restriction(p_user bigint, p_alert_id bigint, p_now timestamptz)
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE a ledger.account; r ledger.symbol_restriction;
BEGIN
  a := ledger.lock_account(p_user, '-infinity', p_now);
  SELECT * INTO r FROM ledger.symbol_restriction x
    WHERE x.user_id = p_user AND x.alert_id = p_alert_id AND x.ended_seq IS NULL;
  IF NOT FOUND THEN RETURN NULL; END IF;
  a := ledger.append_restriction(a, 'SYMBOL_RESTRICTION_ENDED', r, NULL, p_now);
  UPDATE ledger.symbol_restriction x SET ended_seq = a.seq
    WHERE x.user_id = p_user AND x.alert_id = p_alert_id;
  RETURN a.seq;
END $$;

-- Those of this shard whose time is over, the oldest first.
CREATE FUNCTION ledger.restrictions_due(p_now timestamptz, p_most integer)
RETURNS TABLE (user_id bigint, alert_id bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT x.user_id, x.alert_id FROM ledger.symbol_restriction x
  WHERE x.ended_seq IS NULL AND x.ends_at <= p_now AND EXISTS (SELECT FROM ledger.slot s
    WHERE s.slot = (x.user_id & 63)::smallint AND s.state = 'HERE')
  ORDER BY x.ends_at, x.user_id, x.alert_id LIMIT p_most
$$;

GRANT EXECUTE ON FUNCTION ledger.restrict_symbol, ledger.end_restriction, ledger.restrictions_due
  TO outcry_app;
