-- Exits at the market that rest: the protected price of such an order keeps it from being filled
-- anywhere, and so it may not be filled at all. Whoever wanted out must hear of it.

CREATE INDEX orders_protected ON ledger.orders (order_id)
  WHERE type IN ('MARKET', 'STOP') AND status IN ('OPEN', 'PARTIALLY_FILLED');

-- Whether an order gets its account out of something: out of a holding, or out of an intraday position
-- that is open the other way.
CREATE FUNCTION ledger.is_exit(o ledger.orders) RETURNS boolean LANGUAGE sql STABLE AS $$
  SELECT CASE o.product WHEN 'CNC' THEN o.side = 'SELL'
    ELSE EXISTS (SELECT FROM ledger.position p WHERE p.user_id = o.user_id AND p.symbol = o.symbol
      AND p.trade_date = o.trade_date AND CASE o.side WHEN 'SELL' THEN p.net > 0 ELSE p.net < 0 END) END
$$;

-- A page of the exits at the market that have rested that long, behind the order named last.
CREATE FUNCTION ledger.resting_exits(p_for interval, p_after bigint, p_most integer)
RETURNS TABLE (user_id bigint, order_id bigint, symbol text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT o.user_id, o.order_id, o.symbol FROM ledger.orders o
  WHERE o.type IN ('MARKET', 'STOP') AND o.status IN ('OPEN', 'PARTIALLY_FILLED')
    AND o.order_id > p_after AND o.touched_at < clock_timestamp() - p_for AND ledger.is_exit(o)
    AND NOT EXISTS (SELECT FROM ledger.job_entry j WHERE j.job = 'EXIT_ALERT'
      AND j.day = o.trade_date AND j.user_id = o.user_id AND j.instrument = o.client_order_id)
    AND EXISTS (SELECT FROM ledger.slot s
      WHERE s.slot = (o.user_id & 63)::smallint AND s.state = 'HERE')
  ORDER BY o.order_id LIMIT p_most
$$;

-- Tells the user, once an order. True when it was told now: it may have been filled meanwhile.
CREATE FUNCTION ledger.alert_exit(p_user bigint, p_order bigint, p_today date, p_now timestamptz)
RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE a ledger.account; o ledger.orders;
BEGIN
  a := ledger.lock_account(p_user, p_today, p_now);
  SELECT * INTO o FROM ledger.orders x WHERE x.order_id = p_order AND x.user_id = p_user
    AND x.type IN ('MARKET', 'STOP') AND x.status IN ('OPEN', 'PARTIALLY_FILLED');
  IF NOT FOUND OR NOT ledger.is_exit(o) OR EXISTS (SELECT FROM ledger.job_entry j
      WHERE j.job = 'EXIT_ALERT' AND j.day = o.trade_date AND j.user_id = p_user
      AND j.instrument = o.client_order_id) THEN
    RETURN false;
  END IF;
  a := ledger.append_event(a, 'EXIT_UNFILLED', o.order_id, 0, 0, 0, p_now,
    '"order":' || ledger.order_facts(o)::text || ',"alert":' || json_build_object(
      'code', 'EXIT_UNFILLED', 'order_id', o.order_id, 'symbol', o.symbol, 'side', o.side,
      'remaining', o.quantity - o.filled_quantity, 'price', o.limit_price)::text, o.symbol, NULL);
  INSERT INTO ledger.job_entry VALUES ('EXIT_ALERT', o.trade_date, p_user, o.client_order_id, a.seq);
  RETURN true;
END $$;

GRANT EXECUTE ON FUNCTION ledger.resting_exits, ledger.alert_exit TO outcry_app;
