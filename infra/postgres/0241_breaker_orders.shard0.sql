-- What an operator says of a halt of the whole market: halted until then, opening, or open. One region's
-- shard 0. The statement that it becomes is ledger.market_halt's (functions/audit/order_breaker.py).
--
-- Invariants kept here:
--   * What halts the market, or keeps it halted for longer, one risk officer does; what opens it takes two.
--   * The order and its audit entry are one transaction; its statement bears the entry's number, so that it
--     is made once, by whoever comes first, or within a quarter of an hour: an old word halts no new day.
INSERT INTO identity.audit_action (action, meaning) VALUES
  ('BREAKER_ORDERED', 'the whole market is halted, or opened again, by an operator');

CREATE TABLE identity.breaker_order (
  audit_id        bigint PRIMARY KEY,
  phase           text NOT NULL CHECK (phase IN ('HALTED', 'REOPENING', 'OPEN')),
  stop_minutes    integer CHECK (stop_minutes BETWEEN 1 AND 1440),      -- null: until another word
  auction_minutes integer NOT NULL CHECK (auction_minutes BETWEEN 1 AND 240),
  ordered_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
  done_at         timestamptz
);
CREATE INDEX breaker_order_open ON identity.breaker_order (audit_id) WHERE done_at IS NULL;

-- outcome: DONE, UNCHANGED (the market is open, and so it is to be), NEEDS_TWO, or why the officer may
-- not. p_now: business time; null when a second officer has approved it.
CREATE FUNCTION identity.put_breaker(p_order jsonb, p_actor bigint, p_role text, p_why text,
  p_network text, p_now timestamptz, OUT outcome text, OUT audit_id bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE o identity.breaker_order := jsonb_populate_record(NULL::identity.breaker_order, p_order);
  h ledger.market_halt; v_halted boolean; v_over boolean;
BEGIN
  outcome := identity.officer_refused(p_actor, p_role, NULL);
  IF outcome IS NOT NULL THEN RETURN; END IF;
  IF p_now IS NOT NULL THEN
    SELECT * INTO h FROM ledger.market_halt x
      WHERE x.trade_date = (p_now AT TIME ZONE 'Asia/Kolkata')::date ORDER BY x.seq DESC LIMIT 1;
    v_halted := h.seq IS NOT NULL AND (h.venue = 'HALTED' OR h.venue IS NULL
      AND coalesce(p_now < h.resumes_at, true));
    v_over := h.seq IS NULL OR h.venue IS NULL AND coalesce(p_now >= h.opens_at, false);
    outcome := CASE WHEN o.phase <> 'HALTED' AND v_over THEN 'UNCHANGED'
      WHEN o.phase <> 'HALTED' THEN 'NEEDS_TWO'
      WHEN v_halted AND o.stop_minutes IS NOT NULL AND (h.venue IS NOT NULL OR h.resumes_at IS NULL
        OR p_now + make_interval(mins => o.stop_minutes) < h.resumes_at) THEN 'NEEDS_TWO' END;
    IF outcome IS NOT NULL THEN RETURN; END IF;
  END IF;
  audit_id := identity.write_audit(p_actor, p_role, NULL, 'BREAKER_ORDERED', p_network, NULL, p_why,
    jsonb_strip_nulls(p_order));
  INSERT INTO identity.breaker_order (audit_id, phase, stop_minutes, auction_minutes)
    VALUES (audit_id, o.phase, o.stop_minutes, o.auction_minutes);
  outcome := 'DONE';
END $$;

CREATE FUNCTION identity.set_breaker(p_order jsonb, p_actor bigint, p_why text, p_network text,
  p_now timestamptz, OUT outcome text, OUT audit_id bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
  IF p_now IS NULL THEN RAISE EXCEPTION 'an order of one officer has a time'; END IF;
  SELECT x.* INTO outcome, audit_id
    FROM identity.put_breaker(p_order, p_actor, 'risk_officer', p_why, p_network, p_now) x;
END $$;

CREATE FUNCTION identity.finish_breaker(p_audit_id bigint) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS $$
  UPDATE identity.breaker_order SET done_at = clock_timestamp()
    WHERE audit_id = p_audit_id AND done_at IS NULL
$$;

GRANT SELECT ON identity.breaker_order TO outcry_app;
GRANT EXECUTE ON FUNCTION identity.set_breaker, identity.finish_breaker TO outcry_app;
