-- What the edge may ask for: the orders nobody answered, and those that the venue should have. What
-- it writes is in 0024_leases.sql.

-- Of positions at or below the checkpoint alone, which nobody asks for again.
CREATE FUNCTION ledger.forget_applied(p_session text, p_applied_through bigint) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  DELETE FROM ledger.fix_applied WHERE session = p_session AND position <= p_applied_through
$$;

-- A page of the orders, and changes to orders, that the venue has not answered for that long, longest
-- waiting first, behind the place where the page before ended. orders_working has them in front and
-- they are sorted here: touched_at in an index would cost every part fill its HOT update.
CREATE FUNCTION ledger.stale_orders(p_older_than interval, p_after timestamptz, p_after_order bigint,
    p_most integer)
RETURNS TABLE (order_id bigint, user_id bigint, command text, touched_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT o.order_id, o.user_id, ledger.order_command(o), o.touched_at FROM ledger.orders o
  WHERE CASE WHEN o.status = 'PENDING' OR o.pending_change IS NOT NULL THEN 0 ELSE 1 END = 0
    AND o.status IN ('PENDING', 'OPEN', 'PARTIALLY_FILLED')
    AND o.touched_at < clock_timestamp() - p_older_than
    AND (o.touched_at, o.order_id) > (p_after, p_after_order)
    AND EXISTS (SELECT FROM ledger.slot s  -- its home asks; a copy on its way doesn't
      WHERE s.slot = (o.user_id & 63)::smallint AND s.state = 'HERE')
  ORDER BY o.touched_at, o.order_id LIMIT p_most
$$;

-- An order as the venue should have it; `answered` 0 while it waits for the venue's answer, else 1.
CREATE TYPE ledger.venue_view AS (order_id bigint, user_id bigint, symbol text, side text, status text,
  quantity bigint, filled_quantity bigint, limit_price bigint, accepted_request integer,
  version integer, answered integer);
CREATE FUNCTION ledger.venue_view_of(o ledger.orders) RETURNS ledger.venue_view
LANGUAGE sql IMMUTABLE AS $$
  SELECT o.order_id, o.user_id, o.symbol, o.side, o.status, o.quantity, o.filled_quantity,
    o.limit_price, o.accepted_request, o.version,
    CASE WHEN o.status = 'PENDING' OR o.pending_change IS NOT NULL THEN 0 ELSE 1 END
$$;

-- A page of the orders that the venue should have or is about to get, those that wait for its answer
-- first, behind the place where the page before ended.
CREATE FUNCTION ledger.working_orders(p_after_answered integer, p_after_order bigint, p_most integer)
RETURNS SETOF ledger.venue_view
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT v.* FROM (
    SELECT o.* FROM ledger.orders o
    WHERE o.status IN ('PENDING', 'OPEN', 'PARTIALLY_FILLED')
      AND (CASE WHEN o.status = 'PENDING' OR o.pending_change IS NOT NULL THEN 0 ELSE 1 END,
        o.order_id) > (p_after_answered, p_after_order)
      AND EXISTS (SELECT FROM ledger.slot s
        WHERE s.slot = (o.user_id & 63)::smallint AND s.state = 'HERE')
    ORDER BY CASE WHEN o.status = 'PENDING' OR o.pending_change IS NOT NULL THEN 0 ELSE 1 END,
      o.order_id LIMIT p_most) o, ledger.venue_view_of(o) v
  ORDER BY v.answered, v.order_id
$$;

-- Those of these orders that are at home here, whatever became of them.
CREATE FUNCTION ledger.orders_named(p_orders bigint[]) RETURNS SETOF ledger.venue_view
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT v.* FROM ledger.orders o, ledger.venue_view_of(o) v
  WHERE o.order_id = ANY(p_orders) AND EXISTS (SELECT FROM ledger.slot s
    WHERE s.slot = (o.user_id & 63)::smallint AND s.state = 'HERE')
$$;

-- The roles: the application reads and calls, the edge hands on and reads; neither writes a money table.
GRANT USAGE ON SCHEMA ledger TO outcry_app, outcry_edge;
GRANT EXECUTE ON FUNCTION ledger.open_account, ledger.deposit, ledger.set_pledge,
  ledger.place_order, ledger.request_change, ledger.apply_execution,
  ledger.park_execution, ledger.park_unreadable,
  ledger.holdings_on, ledger.holding_facts, ledger.position_facts, ledger.position_hold, ledger.part_of,
  ledger.order_facts, ledger.cancel_waits,
  ledger.account_on, ledger.micros TO outcry_app;
GRANT SELECT ON ledger.outbox, ledger.ledger_event, ledger.fix_applied, ledger.fix_checkpoint,
  ledger.orders, ledger.execution, ledger.holding, ledger.holding_lot TO outcry_edge;
GRANT EXECUTE ON FUNCTION ledger.forget_applied, ledger.stale_orders, ledger.working_orders,
  ledger.orders_named TO outcry_edge;
