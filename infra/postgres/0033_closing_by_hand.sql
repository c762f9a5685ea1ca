-- An intraday position that is closed by hand while exits of it wait: what they are for is not a second
-- position.
--
-- Invariants kept here, under the account's lock:
--   * An exit of a position (a leg, or a stop that was placed for no more than the position has open:
--     it CLOSES) keeps nothing while it waits. It can only make the position smaller: it is cut with
--     it, in the transaction of each fill, and as it goes to the venue.
--   * So what closes the position by hand is judged on the position alone, and needs no margin. Where
--     such orders rest at the venue as an exit fires, they are cancelled, and the exit goes when they
--     have ended there: both together would turn the position round.
--   * Several stops may wait for the same shares; each is for no more than is open.
-- A stop for more than is open is one that opens: it keeps margin and is left alone.

CREATE INDEX orders_closing ON ledger.orders (user_id, symbol)
  WHERE stance = 'CLOSES' AND status = 'TRIGGER_PENDING';

-- Whether an order is there to exit alone, and never to open.
CREATE FUNCTION ledger.only_exits(o ledger.orders) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
  SELECT o.leg IS NOT NULL OR coalesce(o.stance = 'CLOSES', false)
$$;

-- What an intraday order's position has open the other way.
CREATE FUNCTION ledger.open_of(o ledger.orders) RETURNS bigint LANGUAGE sql STABLE AS $$
  SELECT greatest(0, CASE o.side WHEN 'SELL' THEN p.net ELSE -p.net END) FROM ledger.position_of(o) p
$$;

-- What other groups of exits of an order's position are for, waiting or at the venue.
CREATE FUNCTION ledger.waited_for_beside(o ledger.orders) RETURNS bigint LANGUAGE sql STABLE AS $$
  SELECT coalesce(sum(r.rest), 0)::bigint FROM ledger.exit_rests(o.user_id, ARRAY(
    SELECT DISTINCT x.group_id FROM ledger.orders x WHERE x.user_id = o.user_id AND x.symbol = o.symbol
      AND x.leg IS NOT NULL AND x.product = 'MIS' AND x.trade_date = o.trade_date AND x.side = o.side
      AND x.group_id IS DISTINCT FROM o.group_id
      AND x.status IN ('PENDING', 'OPEN', 'PARTIALLY_FILLED', 'TRIGGER_PENDING'))) r
$$;

-- A stop that waits, CLOSES or not by what its position has open now; any other order as it is.
CREATE FUNCTION ledger.with_stance(o ledger.orders) RETURNS ledger.orders LANGUAGE plpgsql STABLE AS $$
BEGIN
  IF o.product = 'MIS' AND o.status = 'TRIGGER_PENDING' AND o.leg IS NULL
      AND o.trigger_price IS NOT NULL THEN
    o.stance := CASE WHEN o.quantity <= ledger.open_of(o) THEN 'CLOSES' END;
  END IF;
  RETURN o;
END $$;

-- The orders of an order's position and side that are at the venue or on their way there.
CREATE FUNCTION ledger.at_venue_beside(o ledger.orders) RETURNS SETOF ledger.orders
LANGUAGE sql STABLE AS $$
  SELECT x.* FROM ledger.orders x WHERE x.user_id = o.user_id AND x.symbol = o.symbol
    AND x.product = o.product AND x.trade_date = o.trade_date AND x.side = o.side
    AND x.status IN ('PENDING', 'OPEN', 'PARTIALLY_FILLED')
$$;

-- What an exit that waits can go to the venue for: of a position, what nothing at the venue may close.
CREATE FUNCTION ledger.exit_room(o ledger.orders) RETURNS bigint LANGUAGE plpgsql STABLE AS $$
BEGIN
  IF o.product = 'CNC' THEN RETURN ledger.open_to_exit(o) + ledger.shares_of(o); END IF;
  RETURN ledger.open_of(o)
    - (SELECT coalesce(sum(ledger.shares_of(x)), 0) FROM ledger.at_venue_beside(o) x);
END $$;

-- Cancels what closes an exit's position by hand at the venue, and is no square-off. Whether any of
-- it is still there.
CREATE FUNCTION ledger.make_way(o ledger.orders, p_today date, p_now timestamptz) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE x ledger.orders; v_any boolean := false;
BEGIN
  IF o.product <> 'MIS' THEN RETURN false; END IF;
  FOR x IN SELECT y.* FROM ledger.at_venue_beside(o) y WHERE NOT ledger.only_exits(y)
    AND y.client_order_id NOT LIKE 'SQ-%' ORDER BY y.order_id
  LOOP
    v_any := true;
    CONTINUE WHEN ledger.is_leaving(x);
    PERFORM ledger.request_change(x.user_id, x.order_id, 'exit:' || o.order_id || '-' || x.version, '',
      NULL, NULL, NULL, NULL, '[]', p_today, p_now, NULL, 0);
  END LOOP;
  RETURN v_any;
END $$;

-- The account's rules for a waiting order that goes to the venue. What only makes a position smaller is
-- not refused for the margin of others.
CREATE FUNCTION ledger.release_rules(a ledger.account, b ledger.orders, n ledger.orders) RETURNS jsonb
LANGUAGE sql STABLE AS $$
  SELECT coalesce(jsonb_agg(r.value), '[]') FROM ledger.judge(a, b, n, 0) j,
    LATERAL jsonb_array_elements(j.rules) r
  WHERE NOT (n.product = 'MIS' AND ledger.only_exits(n) AND r.value ->> 'code' = 'INSUFFICIENT_MARGIN')
$$;

-- Stops that close in the share of an order whose fill was booked, or taken back, are for no more than
-- their positions have open by now.
CREATE FUNCTION ledger.fit_closing_stops(o ledger.orders, p_now timestamptz) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE s ledger.orders; v_open bigint;
BEGIN
  FOR s IN SELECT x.* FROM ledger.orders x WHERE x.user_id = o.user_id AND x.symbol = o.symbol
    AND x.stance = 'CLOSES' AND x.status = 'TRIGGER_PENDING' ORDER BY x.order_id
  LOOP
    v_open := ledger.open_of(s);
    IF v_open = 0 THEN
      PERFORM ledger.book_leg(s, s, 'CANCELLED', 'POSITION_CLOSED', o.order_id, p_now);
    ELSIF v_open < s.quantity THEN
      PERFORM ledger.book_leg(s, ledger.resized_leg(s, v_open), 'MODIFIED', 'POSITION_CLOSED',
        o.order_id, p_now);
    END IF;
  END LOOP;
END $$;
