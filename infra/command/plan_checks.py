"""What a plan is: what its latest event says, its slices as events made them, and their orders."""

from typing import Final

from infra.command.checks import BUST, EVENT, EXECUTION, ORDERS, Check, home, rows_of

_PLAN, _SLICE = home("plan"), home("plan_slice")
_TELLS_OF_A_PLAN = "kind LIKE 'PLAN\\_%'"

_PLAN_IS_LOGGED = Check(
    "plan events",
    rows_of("plan"),
    f"""
SELECT format('plan %s: %s, version %s; its last event says %s, version %s',
  coalesce(p.plan_id, l.ref), coalesce(p.state, 'is lost'), p.version, l.facts ->> 'state',
  l.facts ->> 'version')
FROM {_PLAN} p FULL JOIN (SELECT DISTINCT ON (e.user_id, e.ref) e.user_id, e.ref,
    e.body::jsonb -> 'plan' AS facts
  FROM {EVENT} e WHERE {_TELLS_OF_A_PLAN} ORDER BY e.user_id, e.ref, e.seq DESC) l
  ON l.user_id = p.user_id AND l.ref = p.plan_id
WHERE l.facts IS DISTINCT FROM jsonb_build_object('plan_id', p.plan_id, 'client_id', p.client_id,
  'kind', p.kind, 'symbol', p.symbol, 'side', p.side, 'product', p.product,
  'quantity', p.quantity, 'price', p.price, 'participation', p.participation,
  'curve', p.curve, 'trade_date', p.trade_date,
  'starts_at', (extract(epoch FROM p.starts_at) * 1000000)::bigint,
  'ends_at', (extract(epoch FROM p.ends_at) * 1000000)::bigint,
  'state', p.state, 'reason_code', p.reason_code, 'reason', p.reason,
  'created_at', (extract(epoch FROM p.created_at) * 1000000)::bigint,
  'updated_at', (extract(epoch FROM p.updated_at) * 1000000)::bigint, 'version', p.version)
ORDER BY 1
""",
)

# Opened by one event, which says what its id stands for; no event changes what was asked.
_PLAN_OPENING = Check(
    "plan opening",
    rows_of("plan"),
    f"""
SELECT format('plan %s: was not opened as user %s seq %s says', p.plan_id, p.user_id,
  p.opened_seq)
FROM {_PLAN} p LEFT JOIN (SELECT user_id, seq AS opened_seq, ref AS plan_id, body::jsonb AS told
  FROM {EVENT} t WHERE kind = 'PLAN_OPENED') e USING (user_id, opened_seq, plan_id)
WHERE encode(p.fingerprint, 'hex') IS DISTINCT FROM e.told ->> 'fingerprint'
  OR (SELECT sum((s ->> 'planned')::bigint) FROM jsonb_array_elements(e.told -> 'slices') s)
    IS DISTINCT FROM p.quantity
ORDER BY p.plan_id
""",
)

# What a slice was to be is in the event that opened its plan, what it became in the one that names
# it; it was skipped when a later one was placed, or when its plan ended.
_SLICES = Check(
    "plan slices",
    rows_of("plan_slice"),
    f"""
SELECT format('plan %s slice %s: is %s of %s, order %s; its events say %s of %s, order %s',
  plan_id, number, s.state, s.quantity, s.order_id, e.state, e.quantity, e.order_id)
FROM (SELECT user_id, plan_id, number, state, quantity, order_id, market_volume, planned, expected,
    (extract(epoch FROM due_at) * 1000000)::bigint AS due_at FROM {_SLICE} t) s
FULL JOIN (SELECT o.user_id, o.plan_id, o.number, o.planned, o.expected, o.due_at, p.quantity,
    p.order_id, p.market_volume, CASE WHEN p.order_id IS NOT NULL THEN 'PLACED'
      WHEN x.last_placed > o.number OR x.ended THEN 'SKIPPED' ELSE 'WAITING' END AS state
  FROM (SELECT t.user_id, t.ref AS plan_id, s.ordinality AS number,
      (s.value ->> 'planned')::bigint AS planned, (s.value ->> 'expected')::bigint AS expected,
      (s.value ->> 'due_at')::bigint AS due_at
    FROM {EVENT} t, jsonb_array_elements(t.body::jsonb -> 'slices') WITH ORDINALITY s
    WHERE t.kind = 'PLAN_OPENED') o
  LEFT JOIN (SELECT t.user_id, t.ref AS plan_id, (told ->> 'number')::integer AS number,
      (told ->> 'quantity')::bigint AS quantity, (told ->> 'order_id')::bigint AS order_id,
      (told ->> 'market_volume')::bigint AS market_volume
    FROM (SELECT user_id, ref, body::jsonb -> 'slice' AS told FROM {EVENT} t
      WHERE kind = 'PLAN_SLICE_PLACED') t) p USING (user_id, plan_id, number)
  LEFT JOIN (SELECT user_id, ref AS plan_id, bool_or(kind = 'PLAN_ENDED') AS ended,
      max((body::jsonb #>> '{{slice,number}}')::integer) AS last_placed
    FROM {EVENT} t WHERE {_TELLS_OF_A_PLAN} GROUP BY user_id, ref) x USING (user_id, plan_id)) e
  USING (user_id, plan_id, number)
WHERE (s.state, s.quantity, s.order_id, s.market_volume, s.planned, s.expected, s.due_at)
  IS DISTINCT FROM
  (e.state, e.quantity, e.order_id, e.market_volume, e.planned, e.expected, e.due_at)
ORDER BY plan_id, number
""",
)

# A slice's order is named after it, is of its plan's kind, and is as large as the slice says.
_SLICE_ORDERS = Check(
    "slice orders",
    rows_of("orders", "client_order_id LIKE 'PL-%'"),
    f"""
SELECT format('order %s: is %s %s %s of the plan %s; the slice says %s %s %s of %s', o.order_id,
  o.side, o.quantity, o.symbol, o.parent_order_id, s.side, s.quantity, s.symbol, s.plan_id)
FROM (SELECT * FROM {ORDERS} t WHERE client_order_id LIKE 'PL-%') o
FULL JOIN (SELECT t.user_id, t.plan_id, t.number, t.order_id, t.quantity, p.symbol, p.side,
    p.product FROM {_SLICE} t JOIN {_PLAN} p USING (user_id, plan_id)
  WHERE t.order_id IS NOT NULL) s ON s.user_id = o.user_id AND s.order_id = o.order_id
WHERE o.order_id IS NULL
  OR s.order_id IS NOT NULL AND (o.client_order_id, o.parent_order_id, o.symbol, o.side, o.product,
    o.quantity) IS DISTINCT FROM (format('PL-%s-%s', s.plan_id, s.number), s.plan_id, s.symbol,
    s.side, s.product, s.quantity)
  OR s.order_id IS NULL AND NOT EXISTS (SELECT FROM {_PLAN} p
    WHERE p.plan_id = o.parent_order_id AND p.user_id = o.user_id
      AND (p.symbol, p.side, p.product) = (o.symbol, o.side, o.product)
      AND p.state IN ('ACTIVE', 'CANCELLING'))
ORDER BY 1
""",
)

# As an order of it was placed, it was for no more than was left then. What the venue fills beyond
# that (an order overfilled, or filled after it was said to be dead) is a fact.
_SLICE_ROOM = Check(
    "slice room",
    rows_of("orders", "client_order_id LIKE 'PL-%'"),
    f"""
SELECT format('plan %s: its order %s was for %s as %s of %s were filled', p.plan_id, o.order_id,
  o.quantity, sum(f.quantity), p.quantity)
FROM {ORDERS} o JOIN {_PLAN} p ON p.user_id = o.user_id AND p.plan_id = o.parent_order_id
LEFT JOIN (SELECT y.user_id, y.parent_order_id, x.quantity, x.seq, b.seq AS busted
  FROM {ORDERS} y JOIN {EXECUTION} x ON x.order_id = y.order_id AND x.exec_type IN ('F', 'G')
  LEFT JOIN {BUST} b
    ON (b.venue, b.trade_date, b.exec_id) = (x.venue, x.trade_date, x.exec_id)
  WHERE y.client_order_id LIKE 'PL-%') f
  ON f.user_id = o.user_id AND f.parent_order_id = o.parent_order_id AND f.seq < o.placed_seq
    AND (f.busted IS NULL OR f.busted > o.placed_seq)
WHERE o.client_order_id LIKE 'PL-%' AND o.status <> 'DENIED'
GROUP BY p.plan_id, p.quantity, o.order_id, o.quantity
HAVING o.quantity + coalesce(sum(f.quantity), 0) > p.quantity ORDER BY 1
""",
)

# One works at a time, but for one that works again because its trade was taken back.
_PLAN_TOTALS = Check(
    "plan totals",
    rows_of("plan"),
    f"""
SELECT format('plan %s: %s of %s are filled and %s orders work; it is %s', p.plan_id,
  coalesce(c.filled, 0), p.quantity, coalesce(c.working, 0), p.state)
FROM {_PLAN} p LEFT JOIN (SELECT user_id, parent_order_id AS plan_id,
    sum(filled_quantity) AS filled,
    count(*) FILTER (WHERE works) AS working,
    count(*) FILTER (WHERE works AND order_id NOT IN (SELECT b.order_id FROM {BUST} b)) AS placed
  FROM (SELECT *, status IN ('PENDING', 'OPEN', 'PARTIALLY_FILLED', 'TRIGGER_PENDING') AS works
    FROM {ORDERS} t WHERE client_order_id LIKE 'PL-%') o GROUP BY user_id, parent_order_id) c
  USING (user_id, plan_id)
WHERE c.placed > 1 OR c.working > 0 AND p.state NOT IN ('ACTIVE', 'CANCELLING')
  OR p.state = 'COMPLETED' AND coalesce(c.filled, 0) < p.quantity
ORDER BY p.plan_id
""",
)

PLAN_CHECKS: Final = (
    _PLAN_IS_LOGGED,
    _PLAN_OPENING,
    _SLICES,
    _SLICE_ORDERS,
    _SLICE_ROOM,
    _PLAN_TOTALS,
)
