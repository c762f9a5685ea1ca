-- What the day's trades come to, and users' books in one answer for those who value them live.

-- Positions by product, symbol and trade date. Delivery: what was both bought and sold that day is
-- closed against each other at its averages, as a broker shows a day's trades; what a sale earned by
-- the lots it took is the holding's affair. Of a sale what its lots gave: what it lacked is short in
-- the position of its day, and told there. Intraday: the day's, and what is still open of a day before.
CREATE FUNCTION ledger.day_positions(p_user bigint, p_today date)
RETURNS TABLE (product text, symbol text, day date, facts json) LANGUAGE sql STABLE AS $$
  WITH traded AS (SELECT o.symbol,
      coalesce(sum(x.quantity) FILTER (WHERE o.side = 'BUY'), 0)::bigint AS bought,
      coalesce(sum(x.value) FILTER (WHERE o.side = 'BUY'), 0)::bigint AS paid,
      coalesce(sum(s.quantity) FILTER (WHERE o.side = 'SELL'), 0)::bigint AS sold,
      coalesce(sum(s.proceeds) FILTER (WHERE o.side = 'SELL'), 0)::bigint AS got
    FROM ledger.trade x JOIN ledger.orders o USING (order_id)
    CROSS JOIN LATERAL (SELECT sum(l.quantity) AS quantity, sum(l.proceeds) AS proceeds
      FROM ledger.lot_sale l WHERE l.user_id = x.user_id AND l.seq = x.seq) s
    WHERE x.trade_date = p_today AND x.user_id = p_user AND o.product = 'CNC' GROUP BY o.symbol),
  closed AS (SELECT t.*,
      coalesce(round(t.paid * least(t.bought, t.sold) / nullif(t.bought::numeric, 0)), 0)::bigint
        AS entry,
      coalesce(round(t.got * least(t.bought, t.sold) / nullif(t.sold::numeric, 0)), 0)::bigint
        AS exit FROM traded t)
  SELECT 'CNC', c.symbol, p_today, json_build_object('symbol', c.symbol, 'product', 'CNC',
      'trade_date', p_today, 'net', c.bought - c.sold,
      'open_value', c.paid - c.entry + c.got - c.exit, 'buy_quantity', c.bought,
      'buy_value', c.paid, 'sell_quantity', c.sold, 'sell_value', c.got,
      'realised', c.exit - c.entry, 'margin', 0)
    FROM closed c WHERE c.bought + c.sold > 0
  UNION ALL SELECT 'MIS', p.symbol, p.trade_date, ledger.position_facts(p) FROM ledger.position p
    WHERE p.user_id = p_user AND (p.trade_date = p_today OR p.net <> 0)
      AND p.buy_quantity + p.sell_quantity > 0
$$;

-- All of it of many users, each as of one event, whose seq is told: the fanout lays the user's later
-- events over it. A row for each that is at home here and has an account.
CREATE FUNCTION ledger.portfolios_of(p_users bigint[], p_today date, p_most integer)
RETURNS TABLE (user_id bigint, seq bigint, cash bigint, borrowed bigint, short_delivery bigint,
  holdings text, positions text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT a.user_id, a.seq, a.cash, a.borrowed,
    (SELECT coalesce(sum(s.value), 0)::bigint FROM ledger.shortage s
      WHERE s.user_id = a.user_id AND s.closed_seq IS NULL),
    (SELECT coalesce(json_agg(h.facts), '[]')::text
      FROM (SELECT x.facts FROM ledger.holdings_on(a.user_id, p_today) x WHERE x.quantity > 0
        ORDER BY x.symbol LIMIT p_most) h),
    (SELECT coalesce(json_agg(d.facts), '[]')::text
      FROM (SELECT x.facts FROM ledger.day_positions(a.user_id, p_today) x
        ORDER BY x.product, x.symbol, x.day LIMIT p_most) d)
  FROM ledger.account a JOIN ledger.slot t ON t.slot = (a.user_id & 63) AND t.state = 'HERE'
  WHERE a.user_id = ANY (p_users)
$$;

GRANT EXECUTE ON FUNCTION ledger.day_positions TO outcry_app;
GRANT EXECUTE ON FUNCTION ledger.portfolios_of TO outcry_edge;
