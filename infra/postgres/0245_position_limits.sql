-- How much of an account may stand in one share, and an order that would meet another of its own.
--
-- Invariants kept here, under the account's lock (ledger.judge asks):
--   * What an account has put into a share (what it paid for what it holds, what its intraday position
--     was entered at, its open orders that add to them, the new order) is never above the larger of a
--     part of what the account has and a floor. Only an order that adds is asked: what reduces passes,
--     and no fall or rise of a price forces a sale.
--   * What an account has is its cash and what it paid for its holdings, less what it borrowed: all of
--     it is in the account's own log, on its own shard. A market value would need prices that only
--     shard 0 keeps, and would forbid today what a fallen price allowed yesterday.
--   * Open orders and day positions together come to no more than so many times what the account has.
--   * No order of a client goes to the venue at a price at which it would trade with an order of his
--     own. What the broker sends for him (a stop that fired, a slice, a square-off) goes at once: it
--     protects, and the venue then cancels the one that rests.

-- A class without a row has no limit: TEST accounts, on paper only, for load.
CREATE TABLE ledger.position_limit (
  class         text NOT NULL,
  valid_from    date NOT NULL,
  stock_percent integer NOT NULL,             -- of what the account has, in one share
  stock_floor   bigint NOT NULL,              -- paise; so much is always allowed
  exposure_times integer NOT NULL,            -- what the account has, in open orders and day positions
  source        text NOT NULL,
  PRIMARY KEY (class, valid_from),
  CONSTRAINT position_limit_sane CHECK (stock_percent BETWEEN 0 AND 100 AND stock_floor >= 0
    AND exposure_times > 0)
);
INSERT INTO ledger.position_limit VALUES
  ('RETAIL', '2023-01-01', 25, 10000000, 4, 'broker policy'),
  ('REGISTERED_ALGO', '2023-01-01', 25, 10000000, 4, 'broker policy');

-- The price at which an order meets others: the best that it has or asks for. Of a buy below zero, so
-- that of either side the lowest is the best.
CREATE FUNCTION ledger.meets_at(p_side text, p_price bigint, p_pending_price bigint) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE p_side WHEN 'SELL' THEN least(p_price, p_pending_price)
    ELSE -greatest(p_price, p_pending_price) END
$$;

-- An account's open orders in a share by side, the best price first: ledger.meets_at written out, as the
-- planner writes it into a question, for whoever writes an order may call what its indexes call.
CREATE INDEX orders_open ON ledger.orders (user_id, symbol, side, (CASE side
    WHEN 'SELL' THEN least(limit_price, pending_price) ELSE -greatest(limit_price, pending_price) END))
  WHERE status IN ('PENDING', 'OPEN', 'PARTIALLY_FILLED', 'TRIGGER_PENDING');

-- In force on a day for a class of account; null without one.
CREATE FUNCTION ledger.position_limit_of(p_class text, p_today date) RETURNS ledger.position_limit
LANGUAGE sql STABLE AS $$
  SELECT l FROM ledger.position_limit l WHERE l.class = p_class AND l.valid_from <= p_today
    ORDER BY l.valid_from DESC LIMIT 1
$$;

-- What an account has, in paise: below zero where it owes more.
CREATE FUNCTION ledger.worth_of(a ledger.account) RETURNS bigint LANGUAGE sql STABLE AS $$
  SELECT (a.cash - a.borrowed + (SELECT coalesce(sum(h.cost), 0) FROM ledger.holding h
    WHERE h.user_id = a.user_id))::bigint
$$;

-- The most, in paise, that an account may have put into one share, and that its open orders and day
-- positions may come to (never less than the floor of one share); no row without a limit.
CREATE FUNCTION ledger.most_of(a ledger.account, p_today date, OUT stock bigint, OUT exposure bigint)
LANGUAGE sql STABLE AS $$
  SELECT greatest(l.stock_floor, div(w.worth::numeric * l.stock_percent, 100)::bigint),
    greatest(l.stock_floor, w.worth * l.exposure_times)
  FROM ledger.position_limit_of(a.class, p_today) l, ledger.worth_of(a) w (worth)
  WHERE l.class IS NOT NULL
$$;

-- Paise that the rest of a working order adds to what is in its share; nothing where it only closes.
CREATE FUNCTION ledger.adds_value(o ledger.orders) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE WHEN o.product = 'CNC' AND o.side = 'SELL' OR ledger.only_exits(o) THEN 0
    ELSE div(ledger.shares_of(o)::numeric
      * greatest(o.limit_price, coalesce(o.pending_price, 0)) + 99, 100)::bigint END
$$;

-- What an account has put into a share on a side, in paise, all but one order's part (p_but: its
-- number). Shares held and an intraday position count on the side that adds to them.
CREATE FUNCTION ledger.put_into(p_user bigint, p_symbol text, p_side text, p_day date, p_but bigint)
RETURNS bigint LANGUAGE sql STABLE AS $$
  SELECT (CASE p_side WHEN 'BUY' THEN coalesce((SELECT h.cost FROM ledger.holding h
        WHERE h.user_id = p_user AND h.symbol = p_symbol), 0) ELSE 0 END
    + coalesce((SELECT p.open_value FROM ledger.position p WHERE p.user_id = p_user
        AND p.symbol = p_symbol AND p.trade_date = p_day
        AND CASE p_side WHEN 'BUY' THEN p.net > 0 ELSE p.net < 0 END), 0)
    + coalesce((SELECT sum(ledger.adds_value(o)) FROM ledger.orders o WHERE o.user_id = p_user
        AND o.symbol = p_symbol AND o.side = p_side AND o.order_id IS DISTINCT FROM p_but
        AND o.status IN ('PENDING', 'OPEN', 'PARTIALLY_FILLED', 'TRIGGER_PENDING')), 0))::bigint
$$;

-- What an account's day positions were entered at and its open orders would add, in paise, all but one
-- order's part.
CREATE FUNCTION ledger.exposure_of(p_user bigint, p_day date, p_but bigint) RETURNS bigint
LANGUAGE sql STABLE AS $$
  SELECT (coalesce((SELECT sum(p.open_value) FROM ledger.position p WHERE p.user_id = p_user
      AND p.trade_date = p_day), 0)
    + coalesce((SELECT sum(ledger.adds_value(o)) FROM ledger.orders o WHERE o.user_id = p_user
      AND o.order_id IS DISTINCT FROM p_but
      AND o.status IN ('PENDING', 'OPEN', 'PARTIALLY_FILLED', 'TRIGGER_PENDING')), 0))::bigint
$$;

-- The rules on how much stands in one share, and in all that is open, for an order that goes from b to n
-- and adds to it; an array with those that it breaks. p_closing: how many of its shares only close.
CREATE FUNCTION ledger.stock_rules(a ledger.account, b ledger.orders, n ledger.orders,
    p_closing bigint) RETURNS jsonb LANGUAGE plpgsql STABLE AS $$
DECLARE v_price bigint := coalesce(n.pending_price, n.limit_price); m record; v_there bigint;
  v_rules jsonb := '[]'; v_exits bigint := b.filled_quantity + p_closing;
  v_adds numeric := div((ledger.shares_of(n) - p_closing)::numeric * v_price + 99, 100);
BEGIN
  IF v_adds <= ledger.adds_value(b) THEN RETURN '[]'; END IF;
  m := ledger.most_of(a, n.trade_date);
  v_there := ledger.put_into(a.user_id, n.symbol, n.side, n.trade_date, n.order_id);
  IF v_there + v_adds > m.stock THEN
    v_rules := jsonb_build_array(ledger.rule('STOCK_LIMIT_EXCEEDED',
      'more than the account may have in one share',
      ((v_there + v_adds) * 0.01)::numeric(40, 2)::text, ledger.rupees(m.stock),
      v_exits + div(greatest(0, m.stock - v_there)::numeric * 100, v_price)::bigint));
  END IF;
  v_there := ledger.exposure_of(a.user_id, n.trade_date, n.order_id);
  IF v_there + v_adds > m.exposure THEN
    v_rules := v_rules || ledger.rule('EXPOSURE_LIMIT_EXCEEDED',
      'more than the account''s open orders and day positions may come to',
      ((v_there + v_adds) * 0.01)::numeric(40, 2)::text, ledger.rupees(m.exposure),
      v_exits + div(greatest(0, m.exposure - v_there)::numeric * 100, v_price)::bigint);
  END IF;
  RETURN v_rules;
END $$;

-- The rule on orders that would meet, for one that goes to the venue now; an array with or without it.
-- An order at the market rests only once the venue has said that it does, and one that waits is not there.
CREATE FUNCTION ledger.self_trade_rules(n ledger.orders) RETURNS jsonb LANGUAGE plpgsql STABLE AS $$
DECLARE x ledger.orders; v_price bigint := coalesce(n.pending_price, n.limit_price);
BEGIN
  SELECT * INTO x FROM ledger.orders o
    WHERE o.user_id = n.user_id AND o.symbol = n.symbol
      AND o.side = CASE n.side WHEN 'BUY' THEN 'SELL' ELSE 'BUY' END
      AND o.status IN ('PENDING', 'OPEN', 'PARTIALLY_FILLED', 'TRIGGER_PENDING')
      AND ledger.meets_at(o.side, o.limit_price, o.pending_price)
        <= CASE n.side WHEN 'BUY' THEN v_price ELSE -v_price END
      AND o.status <> 'TRIGGER_PENDING' AND o.validity <> 'IOC' AND (o.price IS NOT NULL OR o.status <> 'PENDING')
    ORDER BY ledger.meets_at(o.side, o.limit_price, o.pending_price) LIMIT 1;
  IF NOT FOUND THEN RETURN '[]'; END IF;
  RETURN jsonb_build_array(ledger.rule('SELF_TRADE', 'would trade with your own order '
      || x.order_id || ': cancel it first, or ask for '
      || CASE n.side WHEN 'BUY' THEN 'less' ELSE 'more' END || ' than it does',
    (v_price * 0.0001)::numeric(40, 2)::text,
    (abs(ledger.meets_at(x.side, x.limit_price, x.pending_price)) * 0.0001)::numeric(40, 2)::text, 0));
END $$;

-- What an account of a class with limits is asked beside its cash and shares. p_opens: whether the
-- order has more shares than p_closing, those that only close.
CREATE FUNCTION ledger.limit_rules(a ledger.account, b ledger.orders, n ledger.orders,
    p_opens boolean, p_closing bigint) RETURNS jsonb LANGUAGE plpgsql STABLE AS $$
DECLARE v_rules jsonb := '[]';
BEGIN
  IF ledger.is_brokers_own(n.client_order_id) THEN RETURN v_rules; END IF;
  IF p_opens THEN v_rules := ledger.stock_rules(a, b, n, p_closing); END IF;
  IF a.open_orders > 0 AND n.status <> 'TRIGGER_PENDING' AND b.status <> 'TRIGGER_PENDING'
      AND n.client_order_id NOT LIKE 'PL-%' THEN
    v_rules := v_rules || ledger.self_trade_rules(n);
  END IF;
  RETURN v_rules;
END $$;

-- What the account has in each share that it added to, in paise, the most first. One row with the most
-- that it may have in one (stock), in all that is open (exposure) and has there (exposed); none
-- without a limit.
CREATE FUNCTION ledger.limit_uses(p_user bigint, p_today date)
RETURNS TABLE (stock bigint, exposure bigint, exposed bigint, valid_from date, source text, stocks json)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT m.stock, m.exposure, ledger.exposure_of(p_user, p_today, NULL), l.valid_from, l.source,
    (SELECT coalesce(json_agg(json_build_array(u.symbol, u.used) ORDER BY u.used DESC, u.symbol), '[]')
      FROM (SELECT s.symbol, greatest(ledger.put_into(p_user, s.symbol, 'BUY', p_today, NULL),
          ledger.put_into(p_user, s.symbol, 'SELL', p_today, NULL)) AS used
        FROM (SELECT h.symbol FROM ledger.holding h WHERE h.user_id = p_user AND h.quantity > 0
          UNION SELECT p.symbol FROM ledger.position p WHERE p.user_id = p_user
            AND p.trade_date = p_today AND p.net <> 0
          UNION SELECT o.symbol FROM ledger.orders o WHERE o.user_id = p_user
            AND o.status IN ('PENDING', 'OPEN', 'PARTIALLY_FILLED', 'TRIGGER_PENDING')) s
        ORDER BY used DESC, s.symbol LIMIT 1000) u)
  FROM ledger.account_on(p_user, p_today) a, ledger.position_limit_of(a.class, p_today) l,
    ledger.most_of(a, p_today) m
  WHERE l.class IS NOT NULL
$$;

-- How many orders of an account count by now for its rate (ledger.rate_reached): in the last second and
-- minute by the wall clock, and on India's day by the business clock.
CREATE FUNCTION ledger.orders_counted(p_user bigint, p_now timestamptz)
RETURNS TABLE (second bigint, minute bigint, day bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT count(*) FILTER (WHERE x.order_id >= (n.at - 999) << 22),
    count(*) FILTER (WHERE x.order_id >= (n.at - 59999) << 22),
    count(*) FILTER (WHERE x.created_at >= date_trunc('day', p_now AT TIME ZONE 'Asia/Kolkata')
      AT TIME ZONE 'Asia/Kolkata')
  FROM (SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint - 1767225600000 AS at) n
  JOIN ledger.orders x ON x.user_id = p_user AND x.order_id >= (n.at - 86400000) << 22
    AND NOT ledger.is_brokers_own(x.client_order_id)
$$;

GRANT EXECUTE ON FUNCTION ledger.limit_uses, ledger.orders_counted TO outcry_app;
