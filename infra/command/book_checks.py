"""What an account is left with: holdings and lots, intraday positions, holds and settlements."""

from typing import Final

from infra.command.checks import ACCOUNT, EVENT, ORDERS, POSTING, TRADE, Check, home, rows_of

_HOLDING, _LOT, _SALE = home("holding"), home("holding_lot"), home("lot_sale")
_POSITION, _DUE = home("position"), home("settlement_due")
_RESULT = home("intraday_result")

_HOLDINGS = Check(
    "holdings",
    rows_of("holding"),
    f"""
SELECT format('user %s %s: holds %s, its postings say %s', user_id, symbol,
  coalesce(h.quantity, 0), coalesce(p.amount, 0))
FROM {_HOLDING} h FULL JOIN (SELECT user_id, asset AS symbol, sum(amount) AS amount
  FROM {POSTING} t WHERE account = 'client:holding' GROUP BY user_id, asset) p
  USING (user_id, symbol)
WHERE coalesce(h.quantity, 0) <> coalesce(p.amount, 0) ORDER BY user_id, symbol
""",
)

_LOTS = Check(
    "lots",
    rows_of("holding_lot"),
    f"""
SELECT format('user %s %s: holds %s that cost %s, its lots are %s that cost %s', user_id, symbol,
  coalesce(h.quantity, 0), coalesce(h.cost, 0), coalesce(l.quantity, 0), coalesce(l.cost, 0))
FROM {_HOLDING} h FULL JOIN (SELECT user_id, symbol, sum(quantity) AS quantity, sum(cost) AS cost
  FROM {_LOT} t GROUP BY user_id, symbol) l USING (user_id, symbol)
WHERE coalesce(h.quantity, 0) <> coalesce(l.quantity, 0)
  OR coalesce(h.cost, 0) <> coalesce(l.cost, 0)
ORDER BY user_id, symbol
""",
)

# A lot is what its event bought, less what sales took from it; a lot all sold is no row any more.
_LOTS_OF_EVENTS = Check(
    "lots bought",
    rows_of("ledger_event", "kind IN ('FILL', 'POSITION_DELIVERED')"),
    f"""
SELECT format('user %s %s lot %s: %s are left that cost %s; bought less sold are %s that cost %s',
  user_id, symbol, lot, coalesce(l.quantity, 0), coalesce(l.cost, 0), coalesce(b.quantity, 0),
  coalesce(b.cost, 0))
FROM {_LOT} l FULL JOIN (SELECT t.user_id, t.symbol, t.lot, max(t.trade_date) AS trade_date,
    max(t.settles_on) AS settles_on, sum(t.quantity) AS quantity, sum(t.cost) AS cost
  FROM (SELECT e.user_id, e.body::jsonb #>> '{{holding,symbol}}' AS symbol, x.lot,
      x.trade_date, x.settles_on, x.quantity, x.cost
    FROM {EVENT} e, jsonb_to_recordset(e.body::jsonb -> 'lots')
      AS x (lot bigint, trade_date date, settles_on date, quantity bigint, cost bigint)
    WHERE e.kind IN ('FILL', 'POSITION_DELIVERED') AND x.lot = e.seq
    UNION ALL SELECT e.user_id, e.body::jsonb #>> '{{bust,symbol}}', x.lot, NULL, NULL, -x.quantity,
      -x.cost
    FROM {EVENT} e, jsonb_to_recordset(e.body::jsonb -> 'lots')
      AS x (lot bigint, quantity bigint, cost bigint)
    WHERE e.kind = 'FILL_BUSTED' AND e.body::jsonb #>> '{{bust,side}}' = 'BUY'
    UNION ALL SELECT s.user_id, s.symbol, s.lot, NULL, NULL, -s.quantity, -s.cost
    FROM {_SALE} s) t GROUP BY t.user_id, t.symbol, t.lot HAVING sum(t.quantity) <> 0
      OR sum(t.cost) <> 0) b USING (user_id, symbol, lot)
WHERE (l.quantity, l.cost, l.trade_date, l.settles_on)
  IS DISTINCT FROM (b.quantity::bigint, b.cost::bigint, b.trade_date, b.settles_on)
ORDER BY user_id, symbol, lot
""",
)

# What left the holdings: of a delivery sale all but what it lacked, and of short positions what was
# delivered for them. A sale that was taken back left them less than before.
_DELIVERED = f"""
  SELECT user_id, seq, way, lots, fill ->> 'symbol' AS symbol,
    (fill ->> 'trade_date')::date AS trade_date, way * ((fill ->> 'quantity')::bigint
      - coalesce((short ->> 'quantity')::bigint, 0)) AS sold,
    way * ((fill ->> 'value')::bigint - coalesce((short ->> 'value')::bigint, 0)) AS value
  FROM (SELECT user_id, seq, CASE kind WHEN 'FILL' THEN 1 ELSE -1 END AS way,
      body::jsonb -> 'lots' AS lots, body::jsonb -> 'short' AS short,
      coalesce(body::jsonb -> 'fill', body::jsonb -> 'bust') AS fill
    FROM {EVENT} t WHERE kind IN ('FILL', 'FILL_BUSTED')) f
  WHERE fill ->> 'product' = 'CNC' AND fill ->> 'side' = 'SELL'
  UNION ALL SELECT user_id, seq, 1, body -> 'lots', body #>> '{{delivery,symbol}}',
    (body #>> '{{delivery,trade_date}}')::date, (body #>> '{{delivery,quantity}}')::bigint,
    (body #>> '{{delivery,value}}')::bigint
  FROM (SELECT user_id, seq, body::jsonb AS body FROM {EVENT} t WHERE kind = 'SHORT_DELIVERED') d
"""
_SALES = Check(
    "lot sales",
    rows_of("lot_sale"),
    f"""
SELECT format('user %s seq %s lot %s: the fill took %s that cost %s, the sale''s row says %s, %s',
  user_id, seq, lot, coalesce(e.quantity, 0), coalesce(e.cost, 0), coalesce(s.quantity, 0),
  coalesce(s.cost, 0))
FROM {_SALE} s FULL JOIN (SELECT t.user_id, t.seq, x.lot, x.trade_date AS acquired,
    t.way * x.quantity AS quantity, t.way * x.cost AS cost, t.trade_date, t.symbol,
    t.way * sum(x.quantity) OVER (PARTITION BY t.user_id, t.seq) AS taken, t.sold
  FROM ({_DELIVERED}) t, jsonb_to_recordset(t.lots)
    AS x (lot bigint, trade_date date, quantity bigint, cost bigint)) e USING (user_id, seq, lot)
WHERE (s.quantity, s.cost, s.acquired, s.trade_date, s.symbol)
  IS DISTINCT FROM (e.quantity, e.cost, e.acquired, e.trade_date, e.symbol) OR e.taken <> e.sold
  OR s.acquired > s.trade_date
ORDER BY user_id, seq, lot
""",
)

_PROCEEDS = Check(
    "sale proceeds",
    rows_of("lot_sale"),
    f"""
SELECT format('user %s seq %s: sold %s for %s, its lots'' are %s for %s', e.user_id, e.seq, e.sold,
  e.value, sum(s.quantity), sum(s.proceeds))
FROM ({_DELIVERED}) e LEFT JOIN {_SALE} s ON s.user_id = e.user_id AND s.seq = e.seq
GROUP BY e.user_id, e.seq, e.sold, e.value
HAVING (coalesce(sum(s.quantity), 0), coalesce(sum(s.proceeds), 0)) <> (e.sold, e.value)
ORDER BY e.user_id, e.seq
""",
)

# The events of a position, each with what it posted; its shares are the postings' too.
_POSITION_EVENTS = f"""
  SELECT e.user_id, e.seq, e.kind, e.body::jsonb #>> '{{position,symbol}}' AS symbol,
    (e.body::jsonb #>> '{{position,trade_date}}')::date AS trade_date, e.body::jsonb AS body
  FROM {EVENT} e WHERE e.body::jsonb ? 'position'
    AND e.kind IN ('FILL', 'FILL_BUSTED', 'POSITION_DELIVERED', 'SHORT_DELIVERED',
      'SHORT_CLOSED_OUT')
"""
_POSITIONS = Check(
    "positions",
    rows_of("position"),
    f"""
SELECT format('user %s %s of %s: net %s entered at %s, realised %s; its postings say %s, %s and %s',
  user_id, symbol, trade_date, p.net, p.open_value, p.realised, t.shares, abs(t.rupees), t.realised)
FROM {_POSITION} p FULL JOIN (SELECT e.user_id, e.symbol, e.trade_date,
    coalesce(sum(x.shares), 0) AS shares, coalesce(sum(x.rupees), 0) AS rupees,
    coalesce(-sum(x.rupees) FILTER (WHERE e.kind IN ('FILL', 'FILL_BUSTED', 'SHORT_CLOSED_OUT')), 0)
      - coalesce(sum(CASE WHEN e.kind = 'SHORT_CLOSED_OUT'
          THEN (e.body #>> '{{shortage,value}}')::bigint
        WHEN e.kind = 'FILL' AND e.body #>> '{{fill,side}}' = 'BUY'
          THEN (e.body #>> '{{fill,value}}')::bigint
        WHEN e.kind = 'FILL' THEN -coalesce(e.body #>> '{{short,value}}',
          e.body #>> '{{fill,value}}')::bigint
        WHEN e.kind = 'FILL_BUSTED' AND e.body #>> '{{bust,side}}' = 'BUY'
          THEN -(e.body #>> '{{bust,value}}')::bigint
        WHEN e.kind = 'FILL_BUSTED' THEN coalesce(e.body #>> '{{short,value}}',
          e.body #>> '{{bust,value}}')::bigint END), 0) AS realised
  FROM ({_POSITION_EVENTS}) e LEFT JOIN (SELECT user_id, seq,
      sum(amount) FILTER (WHERE asset <> 'INR') AS shares,
      sum(amount) FILTER (WHERE asset = 'INR') AS rupees
    FROM {POSTING} y WHERE account = 'client:position' GROUP BY user_id, seq) x
    ON x.user_id = e.user_id AND x.seq = e.seq
  GROUP BY e.user_id, e.symbol, e.trade_date) t USING (user_id, symbol, trade_date)
WHERE coalesce(p.net, 0) <> coalesce(t.shares, 0)
  OR -sign(coalesce(p.net, 0)) * coalesce(p.open_value, 0) <> coalesce(t.rupees, 0)
  OR coalesce(p.realised, 0) <> coalesce(t.realised, 0)
ORDER BY user_id, symbol, trade_date
""",
)

# What delivery sales lacked trades in the position of its day.
_LACKED = f"""
  SELECT user_id, body #>> '{{fill,symbol}}', (body #>> '{{fill,trade_date}}')::date, 'SELL',
    (body #>> '{{short,margin_rate}}')::bigint, way * (body #>> '{{short,quantity}}')::bigint,
    way * (body #>> '{{short,value}}')::bigint
  FROM (SELECT user_id, CASE kind WHEN 'FILL' THEN 1 ELSE -1 END AS way,
      CASE kind WHEN 'FILL' THEN body::jsonb
        ELSE body::jsonb || jsonb_build_object('fill', body::jsonb -> 'bust') END AS body
    FROM {EVENT} t WHERE kind IN ('FILL', 'FILL_BUSTED')) f
  WHERE body ? 'short'
"""
# An order that waited and was denied at its trigger had been placed.
_POSITION_TRADES = Check(
    "position trades",
    rows_of("position"),
    f"""
SELECT format('user %s %s of %s: bought %s for %s and sold %s for %s at a margin of %s; its orders '
  'and executions say otherwise', user_id, symbol, trade_date, p.buy_quantity, p.buy_value,
  p.sell_quantity, p.sell_value, p.margin_rate)
FROM {_POSITION} p FULL JOIN (SELECT o.user_id, o.symbol, o.trade_date,
    max(o.margin_rate) AS margin_rate,
    coalesce(sum(o.quantity) FILTER (WHERE o.side = 'BUY'), 0) AS buy_quantity,
    coalesce(sum(o.value) FILTER (WHERE o.side = 'BUY'), 0) AS buy_value,
    coalesce(sum(o.quantity) FILTER (WHERE o.side = 'SELL'), 0) AS sell_quantity,
    coalesce(sum(o.value) FILTER (WHERE o.side = 'SELL'), 0) AS sell_value
  FROM (SELECT y.user_id, y.symbol, y.trade_date, y.side, y.margin_rate, x.quantity, x.value
    FROM {ORDERS} y LEFT JOIN {TRADE} x ON x.order_id = y.order_id
    WHERE y.product = 'MIS' AND (y.status <> 'DENIED' OR EXISTS (SELECT FROM {EVENT} e
      WHERE e.user_id = y.user_id AND e.seq = y.placed_seq AND e.kind = 'ORDER_PLACED'))
    UNION ALL {_LACKED}) o
  GROUP BY o.user_id, o.symbol, o.trade_date) t
  USING (user_id, symbol, trade_date)
WHERE p.margin_rate IS DISTINCT FROM t.margin_rate
  OR coalesce(p.buy_quantity, 0) <> coalesce(t.buy_quantity, 0)
  OR coalesce(p.buy_value, 0) <> coalesce(t.buy_value, 0)
  OR coalesce(p.sell_quantity, 0) <> coalesce(t.sell_quantity, 0)
  OR coalesce(p.sell_value, 0) <> coalesce(t.sell_value, 0)
ORDER BY user_id, symbol, trade_date
""",
)

# What each working order must keep reserved: its unfilled part, rounded up, of the dearer of what
# it is and what it is asked to become.
_WORKING = f"""
  SELECT user_id, symbol, side, product, trade_date, keeps * greatest(
      ceil(reserved::numeric * (quantity - filled_quantity) / quantity),
      CASE WHEN pending_change = 'MODIFY' AND pending_quantity > filled_quantity
        THEN ceil(pending_reserved::numeric * (pending_quantity - filled_quantity)
          / pending_quantity) ELSE 0 END) AS cash,
    keeps * (greatest(quantity, coalesce(pending_quantity, 0)) - filled_quantity) AS shares
  FROM (SELECT *, CASE WHEN status = 'TRIGGER_PENDING'
      AND (validity = 'GTT' OR stance IN ('FOLLOWS', 'STANDS_BY', 'CLOSES')
        OR stance = 'LEADS' AND product = 'MIS') THEN 0 ELSE 1 END
    AS keeps FROM {ORDERS} o) t
  WHERE status IN ('PENDING', 'OPEN', 'PARTIALLY_FILLED', 'TRIGGER_PENDING')
"""

_INTRADAY_ORDERS = Check(
    "intraday orders",
    rows_of("position", "open_buy + open_sell > 0"),
    f"""
SELECT format('user %s %s of %s: %s to buy for %s and %s to sell for %s; its orders say otherwise',
  user_id, symbol, trade_date, p.open_buy, p.reserved_buy, p.open_sell, p.reserved_sell)
FROM {_POSITION} p FULL JOIN (SELECT user_id, symbol, trade_date,
    coalesce(sum(shares) FILTER (WHERE side = 'BUY'), 0) AS open_buy,
    coalesce(sum(cash) FILTER (WHERE side = 'BUY'), 0) AS reserved_buy,
    coalesce(sum(shares) FILTER (WHERE side = 'SELL'), 0) AS open_sell,
    coalesce(sum(cash) FILTER (WHERE side = 'SELL'), 0) AS reserved_sell
  FROM ({_WORKING}) o WHERE product = 'MIS' GROUP BY user_id, symbol, trade_date) w
  USING (user_id, symbol, trade_date)
WHERE coalesce(p.open_buy, 0) <> coalesce(w.open_buy, 0)
  OR coalesce(p.open_sell, 0) <> coalesce(w.open_sell, 0)
  OR coalesce(p.reserved_buy, 0) <> coalesce(w.reserved_buy, 0)
  OR coalesce(p.reserved_sell, 0) <> coalesce(w.reserved_sell, 0)
ORDER BY user_id, symbol, trade_date
""",
)

# Margin on whichever side would stand larger if that side's orders filled; what only closes needs
# none, so of orders larger than the position only the part beyond it counts.
_MARGINS = f"""
  SELECT user_id, greatest(margin,
    CASE WHEN net >= 0 THEN margin + reserved_buy WHEN open_buy + net <= 0 THEN 0
      ELSE ceil(reserved_buy::numeric * (open_buy + net) / open_buy) END,
    CASE WHEN net <= 0 THEN margin + reserved_sell WHEN open_sell - net <= 0 THEN 0
      ELSE ceil(reserved_sell::numeric * (open_sell - net) / open_sell) END) AS cash
  FROM (SELECT *, ceil(open_value::numeric * margin_rate / 1000000000) AS margin
    FROM {_POSITION} t) p
"""

_HOLDS = Check(
    "holds",
    rows_of("account"),
    f"""
SELECT format('user %s: holds %s for %s orders; its open orders and positions need %s and are %s',
  a.user_id, a.held, a.open_orders, coalesce(w.cash, 0) + coalesce(m.cash, 0),
  coalesce(w.orders, 0))
FROM {ACCOUNT} a LEFT JOIN (SELECT user_id, count(*) AS orders,
    coalesce(sum(cash) FILTER (WHERE product = 'CNC' AND side = 'BUY'), 0) AS cash
  FROM ({_WORKING}) o GROUP BY user_id) w USING (user_id)
LEFT JOIN (SELECT user_id, sum(cash) AS cash FROM ({_MARGINS}) p GROUP BY user_id) m USING (user_id)
WHERE a.held <> coalesce(w.cash, 0) + coalesce(m.cash, 0) OR a.open_orders <> coalesce(w.orders, 0)
ORDER BY a.user_id
""",
)

# A late sale may have taken what another order promises: that one may sell short, no new one may.
_OPEN_SELLS = Check(
    "open sells",
    rows_of("holding", "open_sell > 0"),
    f"""
SELECT format('user %s %s: %s shares in open sells and %s pledged of %s held, its orders say %s',
  user_id, symbol, coalesce(h.open_sell, 0), coalesce(h.pledged, 0), coalesce(h.quantity, 0),
  coalesce(w.shares, 0))
FROM {_HOLDING} h FULL JOIN (SELECT user_id, symbol, sum(shares) AS shares
  FROM ({_WORKING}) o WHERE side = 'SELL' AND product = 'CNC' GROUP BY user_id, symbol) w
  USING (user_id, symbol)
WHERE coalesce(h.open_sell, 0) <> coalesce(w.shares, 0)
  OR coalesce(h.pledged > h.quantity, false)
ORDER BY user_id, symbol
""",
)

_PLEDGES = Check(
    "pledges",
    rows_of("holding", "pledged > 0"),
    f"""
SELECT format('user %s %s: %s are pledged, its events say %s', user_id, symbol,
  coalesce(h.pledged, 0), coalesce(e.pledged, 0))
FROM {_HOLDING} h FULL JOIN (SELECT DISTINCT ON (user_id, told ->> 'symbol') user_id,
    told ->> 'symbol' AS symbol, (told ->> 'pledged')::bigint AS pledged
  FROM (SELECT user_id, seq, body::jsonb -> 'holding' AS told FROM {EVENT} t
    WHERE kind = 'PLEDGE_SET') p ORDER BY user_id, told ->> 'symbol', seq DESC) e
  USING (user_id, symbol)
WHERE coalesce(h.pledged, 0) <> coalesce(e.pledged, 0) ORDER BY user_id, symbol
""",
)

_SETTLEMENTS = Check(
    "settlements",
    rows_of("account"),
    f"""
SELECT format('user %s: %s unsettled and %s blocked, next on %s; its settlements say %s, %s, %s',
  user_id, a.unsettled, a.blocked, a.settles_next, coalesce(d.unsettled, 0),
  coalesce(d.blocked, 0), coalesce(d.next, 'infinity'))
FROM {ACCOUNT} a FULL JOIN (SELECT user_id, sum(unsettled) AS unsettled, sum(blocked) AS blocked,
  min(settles_on) AS next FROM {_DUE} t GROUP BY user_id) d USING (user_id)
WHERE a.unsettled IS DISTINCT FROM coalesce(d.unsettled, 0)
  OR a.blocked IS DISTINCT FROM coalesce(d.blocked, 0)
  OR a.settles_next IS DISTINCT FROM coalesce(d.next, 'infinity')
  OR a.unsettled NOT BETWEEN a.blocked AND a.cash
ORDER BY user_id
""",
)

# Cash that trades in positions moved: all of an intraday fill's, and of a delivery sale's what is
# neither charges nor the value of what it delivered.
_RESULTS = Check(
    "intraday results",
    rows_of("intraday_result"),
    f"""
SELECT format('user %s: the result of %s is %s, its trades in positions moved %s', user_id,
  trade_date, coalesce(r.amount, 0), coalesce(e.amount, 0))
FROM {_RESULT} r FULL JOIN (SELECT user_id, (fill ->> 'trade_date')::date AS trade_date,
    sum(cash_change + way * CASE fill ->> 'product' WHEN 'MIS' THEN 0
      ELSE (fill ->> 'charges')::bigint - (fill ->> 'value')::bigint
        + (short ->> 'value')::bigint END) AS amount
  FROM (SELECT user_id, cash_change, CASE kind WHEN 'FILL' THEN 1 ELSE -1 END AS way,
      coalesce(body::jsonb -> 'fill', body::jsonb -> 'bust') AS fill,
      body::jsonb -> 'short' AS short
    FROM {EVENT} t WHERE kind IN ('FILL', 'FILL_BUSTED')) f
  WHERE fill ->> 'product' = 'MIS' OR short IS NOT NULL GROUP BY 1, 2) e
  USING (user_id, trade_date)
WHERE r.amount IS DISTINCT FROM e.amount ORDER BY user_id, trade_date
""",
)

# Of the profits that settle on a day no more can be due than they come to.
_PROFITS_DUE = Check(
    "profits due",
    rows_of("settlement_due"),
    f"""
SELECT format('user %s: of what settles on %s %s are blocked and %s a profit of %s', d.user_id,
  d.settles_on, d.blocked, d.intraday, coalesce(p.profit, 0))
FROM {_DUE} d LEFT JOIN (SELECT r.user_id, x.settles_on, sum(greatest(0, r.amount)) AS profit
  FROM {_RESULT} r JOIN (SELECT DISTINCT user_id, trade_date, settles_on FROM {TRADE} t) x
    USING (user_id, trade_date) GROUP BY 1, 2) p
  USING (user_id, settles_on)
WHERE d.intraday > least(d.blocked, coalesce(p.profit, 0)) ORDER BY d.user_id, d.settles_on
""",
)

# A shortage is valued by one event and closed out by at most one; each such event is one's.
_SHORTAGES = Check(
    "shortages",
    rows_of("shortage"),
    f"""
SELECT format('user %s seq %s: %s of %s short worth %s is not its events''', user_id, seq,
  s.quantity, s.symbol, s.value)
FROM {home("shortage")} s FULL JOIN (SELECT user_id, seq, cash_change,
    body::jsonb -> 'shortage' AS told FROM {EVENT} t WHERE kind = 'SHORT_VALUED') e
  USING (user_id, seq)
FULL JOIN (SELECT user_id, seq AS closed_seq, (body::jsonb #>> '{{shortage,returned}}')::bigint
    AS returned FROM {EVENT} t WHERE kind = 'SHORT_CLOSED_OUT') c USING (user_id, closed_seq)
WHERE (s.value, s.quantity, s.symbol, s.trade_date) IS DISTINCT FROM (-e.cash_change,
    (e.told ->> 'quantity')::bigint, e.told ->> 'symbol', (e.told ->> 'trade_date')::date)
  OR closed_seq IS NOT NULL AND s.value IS DISTINCT FROM c.returned
ORDER BY user_id, seq
""",
)

BOOK_CHECKS: Final = (
    _HOLDINGS, _LOTS, _LOTS_OF_EVENTS, _SALES, _PROCEEDS, _POSITIONS, _POSITION_TRADES,
    _INTRADAY_ORDERS, _HOLDS, _OPEN_SELLS, _PLEDGES, _SETTLEMENTS, _RESULTS, _PROFITS_DUE,
    _SHORTAGES,
)  # fmt: skip
