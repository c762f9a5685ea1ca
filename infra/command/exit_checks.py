"""Exits that wait together: one at the venue at most, one that keeps, both for the same rest; and
stops that follow the price: one way, by a trade, at their distance.
"""

from typing import Final

from infra.command.checks import EVENT, ORDERS, Check, home, rows_of

_WORKING = "status IN ('PENDING', 'OPEN', 'PARTIALLY_FILLED', 'TRIGGER_PENDING')"
_IN_GROUP = f"group_id IS NOT NULL AND {_WORKING}"

# Beside a leg at the venue the other stands by, for what that one has left; of two that wait one
# leads and one follows, and one alone leads. What is being cancelled, because a dead leg filled
# after all, may be for more than its sibling until the venue has answered.
_GROUPS = Check(
    "linked exits",
    rows_of("orders", _IN_GROUP),
    f"""
SELECT format('user %s group %s: its legs are %s, for %s', user_id, group_id, stances, rests)
FROM (SELECT user_id, group_id, array_agg(stance ORDER BY stance) AS stances,
    array_agg(quantity - filled_quantity ORDER BY stance) AS rests,
    count(*) FILTER (WHERE status <> 'TRIGGER_PENDING') AS at_venue,
    array_agg(stance ORDER BY stance) FILTER (WHERE status = 'TRIGGER_PENDING') AS waiting,
    array_agg(leg ORDER BY leg) AS legs,
    count(DISTINCT quantity - filled_quantity) AS different,
    coalesce(bool_or(pending_change = 'CANCEL'), false) AS ending
  FROM {ORDERS} t WHERE {_IN_GROUP} GROUP BY user_id, group_id) g
WHERE at_venue > 1 OR legs NOT IN ('{{STOP}}', '{{TARGET}}', '{{STOP,TARGET}}')
  OR (CASE at_venue WHEN 0 THEN waiting IN ('{{LEADS}}', '{{FOLLOWS,LEADS}}')
    ELSE waiting IS NULL OR waiting = '{{STANDS_BY}}' END) IS NOT TRUE
  OR (different > 1 AND NOT ending)
ORDER BY user_id, group_id
""",
)

# What an entry's exits have filled and may still fill is no more than it filled itself.
_EXITS_OF_ENTRIES = Check(
    "exits of entries",
    rows_of("orders", f"leg IS NOT NULL AND parent_order_id IS NOT NULL AND {_WORKING}"),
    f"""
SELECT format('order %s: filled %s, its exits have filled %s and wait for %s', e.order_id,
  e.filled_quantity, sum(g.filled), sum(g.rest))
FROM {ORDERS} e JOIN (SELECT user_id, parent_order_id, group_id, sum(filled_quantity) AS filled,
    coalesce(max(quantity - filled_quantity) FILTER (WHERE {_WORKING}), 0) AS rest,
    coalesce(bool_or({_WORKING} AND pending_change = 'CANCEL'), false) AS ending
  FROM {ORDERS} t WHERE leg IS NOT NULL AND parent_order_id IS NOT NULL
  GROUP BY user_id, parent_order_id, group_id) g
  ON g.user_id = e.user_id AND g.parent_order_id = e.order_id
GROUP BY e.order_id, e.filled_quantity
HAVING sum(g.rest) > greatest(0, e.filled_quantity - sum(g.filled)) AND NOT bool_or(g.ending)
ORDER BY e.order_id
""",
)

# Nor are intraday exits for more than their position has open: they would open the other way.
_EXITS_OF_POSITIONS = Check(
    "exits of positions",
    rows_of("orders", f"leg IS NOT NULL AND product = 'MIS' AND {_WORKING}"),
    f"""
SELECT format('user %s %s of %s: its position is %s, exits that %s wait for %s', g.user_id,
  g.symbol, g.trade_date, coalesce(p.net, 0), g.side, sum(g.rest))
FROM (SELECT user_id, symbol, trade_date, side, group_id,
    max(quantity - filled_quantity) AS rest,
    coalesce(bool_or(pending_change = 'CANCEL'), false) AS ending
  FROM {ORDERS} t WHERE leg IS NOT NULL AND product = 'MIS' AND {_WORKING}
  GROUP BY user_id, symbol, trade_date, side, group_id) g
LEFT JOIN {home("position")} p USING (user_id, symbol, trade_date)
GROUP BY g.user_id, g.symbol, g.trade_date, g.side, p.net
HAVING sum(g.rest) FILTER (WHERE NOT g.ending)
  > greatest(0, CASE g.side WHEN 'SELL' THEN coalesce(p.net, 0) ELSE -coalesce(p.net, 0) END)
ORDER BY g.user_id, g.symbol
""",
)

# Nor is an intraday stop that only closes for more than is open.
_CLOSING_STOPS = Check(
    "closing stops",
    rows_of("orders", "stance = 'CLOSES' AND status = 'TRIGGER_PENDING'"),
    f"""
SELECT format('order %s: waits to close %s of %s', o.order_id, o.quantity, coalesce(p.net, 0))
FROM {ORDERS} o LEFT JOIN {home("position")} p USING (user_id, symbol, trade_date)
WHERE o.stance = 'CLOSES' AND o.status = 'TRIGGER_PENDING' AND o.quantity
  > greatest(0, CASE o.side WHEN 'SELL' THEN coalesce(p.net, 0) ELSE -coalesce(p.net, 0) END)
ORDER BY o.order_id
""",
)

# A trigger moves to its distance from the trade, by a step or more, away from where it was.
_TRAILED = "kind = 'ORDER_MODIFIED' AND body::jsonb #>> '{cause,code}' = 'TRAILED'"
_TRAILS = Check(
    "trailing stops",
    rows_of("ledger_event", _TRAILED),
    f"""
SELECT format('order %s: seq %s moved its trigger from %s to %s by a trade at %s', ref, seq, before,
  trigger, price)
FROM (SELECT e.ref, e.seq, e.kind, e.body,
    (e.body #>> '{{order,trigger_price}}')::bigint AS trigger,
    (e.body #>> '{{order,trail}}')::bigint AS trail,
    (e.body #>> '{{order,trail_step}}')::bigint AS step,
    (e.body #>> '{{trigger,price}}')::bigint AS price,
    CASE WHEN (e.body #>> '{{order,trigger_above}}')::boolean THEN -1 ELSE 1 END AS way,
    lag((e.body #>> '{{order,trigger_price}}')::bigint)
      OVER (PARTITION BY e.user_id, e.ref ORDER BY e.seq) AS before
  FROM (SELECT user_id, seq, ref, kind, body::jsonb AS body FROM {EVENT} t
    WHERE body::jsonb #>> '{{order,trail}}' IS NOT NULL) e) m
WHERE {_TRAILED}
  AND (price - way * trail = trigger AND way * (trigger - before) >= step) IS NOT TRUE
ORDER BY ref, seq
""",
)

EXIT_CHECKS: Final = (_GROUPS, _EXITS_OF_ENTRIES, _EXITS_OF_POSITIONS, _CLOSING_STOPS, _TRAILS)
