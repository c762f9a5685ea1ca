"""What must hold between the log, its postings, the executions and the orders of a shard."""

from typing import Final

from infra.command.checks import ACCOUNT, EVENT, EXECUTION, ORDERS, POSTING, Check, home, rows_of

_POSTINGS_BALANCE = Check(
    "postings",
    rows_of("posting"),
    f"""
SELECT format('user %s seq %s: %s postings sum to %s, not 0', user_id, seq, asset, sum(amount))
FROM {POSTING} p GROUP BY user_id, seq, asset HAVING sum(amount) <> 0
ORDER BY user_id, seq, asset
""",
)

# Both ways: an event that moved cash without its posting, and a posting without its event.
_CASH_IS_POSTED = Check(
    "cash postings",
    rows_of("ledger_event", "cash_change <> 0"),
    f"""
SELECT format('user %s seq %s: the event moves %s, its postings to client:cash %s',
  user_id, seq, coalesce(e.cash_change, 0), coalesce(p.amount, 0))
FROM (SELECT user_id, seq, cash_change FROM {EVENT} x) e
FULL JOIN (SELECT user_id, seq, sum(amount) FILTER (WHERE account = 'client:cash') AS amount
  FROM {POSTING} x GROUP BY user_id, seq) p USING (user_id, seq)
WHERE coalesce(e.cash_change, 0) <> coalesce(p.amount, 0) OR e.cash_change IS NULL
ORDER BY user_id, seq
""",
)

_FILL_HAS_EXECUTION = Check(
    "fills",
    rows_of("ledger_event", "kind = 'FILL'"),
    f"""
SELECT format('user %s seq %s: fill %s of order %s has %s matching executions', e.user_id, e.seq,
  e.fill ->> 'exec_id', e.ref, count(x.exec_id))
FROM (SELECT user_id, seq, ref, body::jsonb -> 'fill' AS fill FROM {EVENT} t
  WHERE kind = 'FILL') e
LEFT JOIN {EXECUTION} x
  ON x.user_id = e.user_id AND x.seq = e.seq AND x.order_id = e.ref AND x.exec_type = 'F'
  AND x.exec_id = e.fill ->> 'exec_id'
  AND x.trade_date = (e.fill ->> 'trade_date')::date
  AND x.settles_on = (e.fill ->> 'settles_on')::date
  AND x.quantity = (e.fill ->> 'quantity')::bigint
  AND x.price = (e.fill ->> 'price')::bigint
  AND x.value = (e.fill ->> 'value')::bigint
  AND x.charges = (e.fill ->> 'charges')::bigint
GROUP BY e.user_id, e.seq, e.fill, e.ref HAVING count(x.exec_id) <> 1
ORDER BY e.user_id, e.seq
""",
)

_EXECUTION_HAS_FILL = Check(
    "executions",
    rows_of("execution"),
    f"""
SELECT format('execution %s of %s (order %s, user %s): is booked by %s events', x.exec_id,
  x.trade_date, x.order_id, x.user_id, count(e.seq))
FROM {EXECUTION} x LEFT JOIN {EVENT} e
  ON e.user_id = x.user_id AND e.seq = x.seq AND e.ref = x.order_id
  AND (e.kind = 'FILL') = (x.exec_type = 'F')
GROUP BY x.venue, x.trade_date, x.exec_id, x.order_id, x.user_id HAVING count(e.seq) <> 1
ORDER BY x.trade_date, x.exec_id
""",
)

# A trade's money, worked out again: value at half a paisa up; for delivery cash moves by the value
# and the charges; intraday the value stays in the position, and cash moves by what was realised.
_EXECUTION_MONEY = Check(
    "execution values",
    rows_of("execution", "exec_type = 'F'"),
    f"""
SELECT format('execution %s of %s: %s at %s is not worth %s, or its event moves another amount',
  x.exec_id, x.trade_date, x.quantity, x.price, x.value)
FROM {EXECUTION} x JOIN {ORDERS} o ON o.order_id = x.order_id
JOIN {EVENT} e ON e.user_id = x.user_id AND e.seq = x.seq
LEFT JOIN (SELECT user_id, seq, sum(amount) AS amount FROM {POSTING} t
  WHERE account IN ('client:position', 'house:clearing') AND asset = 'INR'
  GROUP BY user_id, seq) p ON p.user_id = x.user_id AND p.seq = x.seq
WHERE x.exec_type = 'F' AND (x.value <> floor(x.quantity::numeric * x.price / 100 + 0.5)
  OR e.cash_change <> -coalesce(p.amount, 0) - x.charges
  OR o.product = 'CNC'
    AND e.cash_change <> CASE o.side WHEN 'BUY' THEN -x.value ELSE x.value END - x.charges)
ORDER BY x.trade_date, x.exec_id
""",
)

# Every head of a fill's charges is in an account of its own.
_CHARGE_HEADS = Check(
    "charge heads",
    rows_of("ledger_event", "kind = 'FILL'"),
    f"""
SELECT format('user %s seq %s: the fill charges %s to %s, its postings say %s', e.user_id, e.seq,
  e.amount, h.account, coalesce(p.amount, 0))
FROM (SELECT t.user_id, t.seq, c.amount::bigint, c.head
  FROM {EVENT} t, jsonb_array_elements_text(t.body::jsonb #> '{{fill,heads}}')
    WITH ORDINALITY AS c (amount, head) WHERE t.kind = 'FILL') e
JOIN ledger.charge_head h ON h.head = e.head
LEFT JOIN (SELECT user_id, seq, account, sum(amount) AS amount FROM {POSTING} t
  WHERE account LIKE 'charge:%%' GROUP BY user_id, seq, account) p
  ON p.user_id = e.user_id AND p.seq = e.seq AND p.account = h.account
WHERE e.amount <> coalesce(p.amount, 0)
ORDER BY e.user_id, e.seq, h.account
""".replace("%%", "%"),
)

_ORDER_TOTALS = Check(
    "order totals",
    rows_of("orders"),
    f"""
SELECT format('order %s: filled %s worth %s, its executions %s worth %s', o.order_id,
  o.filled_quantity, o.traded_value, coalesce(sum(x.quantity), 0), coalesce(sum(x.value), 0))
FROM {ORDERS} o LEFT JOIN {EXECUTION} x
  ON x.order_id = o.order_id AND x.exec_type = 'F'
GROUP BY o.order_id, o.filled_quantity, o.traded_value, o.charges, o.quantity, o.status
HAVING o.filled_quantity <> coalesce(sum(x.quantity), 0)
  OR o.traded_value <> coalesce(sum(x.value), 0)
  OR (SELECT sum(c) FROM unnest(o.charges) c) <> coalesce(sum(x.charges), 0)
  OR o.filled_quantity > o.quantity OR (o.status = 'FILLED') <> (o.filled_quantity = o.quantity)
ORDER BY o.order_id
""",
)

# The events that tell of an order itself; others only have to do with one (a loan, a fee).
_TELLS_OF_AN_ORDER = """(kind LIKE 'ORDER\\_%'
    OR kind IN ('FILL', 'CANCEL_REQUESTED', 'MODIFY_REQUESTED', 'CHANGE_REFUSED'))"""

_ORDER_IS_LOGGED = Check(
    "order events",
    rows_of("orders"),
    f"""
SELECT format('order %s: %s, version %s; its last event says %s, version %s%s',
  coalesce(o.order_id, l.ref), coalesce(o.status, 'is lost'), o.version, l.facts ->> 'status',
  l.facts ->> 'version',
  CASE WHEN l.facts @> jsonb_build_object('status', o.status, 'version', o.version)
    THEN ', and of another order' ELSE '' END)
FROM {ORDERS} o FULL JOIN (SELECT DISTINCT ON (e.user_id, e.ref) e.user_id, e.ref,
    e.body::jsonb -> 'order' AS facts
  FROM {EVENT} e WHERE {_TELLS_OF_AN_ORDER}
  ORDER BY e.user_id, e.ref, e.seq DESC) l ON l.user_id = o.user_id AND l.ref = o.order_id
WHERE l.facts IS NULL OR NOT l.facts @> jsonb_build_object('client_order_id', o.client_order_id,
  'venue_order_id', o.venue_order_id, 'symbol', o.symbol, 'side', o.side, 'type', o.type,
  'quantity', o.quantity, 'disclosed_quantity', o.disclosed_quantity, 'price', o.price,
  'trigger_price', o.trigger_price,
  'trigger_above', o.trigger_above,
  'parent_order_id', o.parent_order_id,
  'product', o.product, 'validity', o.validity,
  'trade_date', o.trade_date, 'reserved', o.reserved, 'margin_rate', o.margin_rate,
  'status', o.status, 'filled_quantity', o.filled_quantity, 'traded_value', o.traded_value,
  'pending_change', o.pending_change, 'pending_quantity', o.pending_quantity,
  'pending_reserved', o.pending_reserved, 'version', o.version)
ORDER BY coalesce(o.order_id, l.ref)
""",
)

# A waiting order goes to the venue by one event, and by a trade that reached its trigger.
_RELEASES = Check(
    "releases",
    rows_of("ledger_event", "kind = 'ORDER_RELEASED'"),
    f"""
SELECT format('order %s: released by seq %s, its row says %s, at %s for the trigger %s',
  coalesce(o.order_id, e.ref), e.seq, o.released_seq, e.body #>> '{{trigger,price}}',
  o.trigger_price)
FROM (SELECT * FROM {ORDERS} t WHERE released_seq IS NOT NULL) o
FULL JOIN (SELECT user_id, seq, ref, at, body::jsonb AS body FROM {EVENT} t
  WHERE kind = 'ORDER_RELEASED') e
  ON e.user_id = o.user_id AND e.ref = o.order_id AND e.seq = o.released_seq
WHERE e.seq IS NULL OR o.order_id IS NULL OR e.body #>> '{{order,status}}' <> 'PENDING'
  OR CASE WHEN o.trigger_price IS NULL THEN o.releases_at > e.at
    WHEN o.trigger_above THEN (e.body #>> '{{trigger,price}}')::bigint < o.trigger_price
    ELSE (e.body #>> '{{trigger,price}}')::bigint > o.trigger_price END IS NOT FALSE
ORDER BY 1
""",
)

_LOANS = Check(
    "loans",
    rows_of("account"),
    f"""
SELECT format('user %s: owes %s, its postings to house:receivable say %s', a.user_id, a.borrowed,
  coalesce(-p.amount, 0))
FROM {ACCOUNT} a LEFT JOIN (SELECT user_id, sum(amount) AS amount FROM {POSTING} t
  WHERE account = 'house:receivable' GROUP BY user_id) p USING (user_id)
WHERE a.borrowed <> coalesce(-p.amount, 0)
  OR a.borrowed > 0 AND NOT EXISTS (SELECT FROM ledger.loan l WHERE l.user_id = a.user_id)
ORDER BY a.user_id
""",
)

_DEPOSITS = Check(
    "deposits",
    rows_of("deposit"),
    f"""
SELECT format('user %s deposit %s: is not the DEPOSITED event of seq %s', user_id,
  coalesce(d.client_id, '?'), seq)
FROM {home("deposit")} d FULL JOIN (SELECT user_id, seq, cash_change FROM {EVENT} t
  WHERE kind = 'DEPOSITED') e USING (user_id, seq)
WHERE d.amount IS DISTINCT FROM e.cash_change ORDER BY user_id, seq
""",
)

# What a job did to an account, the event it became. A key of the table makes it once, so the key
# must be of what the event says was done.
_JOBS = Check(
    "jobs",
    rows_of("job_entry"),
    f"""
SELECT format('user %s seq %s: %s of %s %s has %s', user_id, seq, coalesce(j.job, '?'), j.day,
  j.instrument, CASE WHEN e.kind IS NULL THEN 'no event of such a job'
    ELSE format('the event %s of %s %s', e.kind, e.day, e.instrument) END)
FROM {home("job_entry")} j FULL JOIN (SELECT t.user_id, t.seq, t.kind,
    coalesce(b.body #>> '{{depository,trade_date}}', b.body #>> '{{dividend,record_date}}',
      b.body #>> '{{interest,day}}', o.trade_date::text)::date AS day,
    coalesce(b.body #>> '{{depository,symbol}}', b.body #>> '{{dividend,symbol}}',
      o.client_order_id, '') AS instrument
  FROM {EVENT} t CROSS JOIN LATERAL (SELECT t.body::jsonb AS body) b
  LEFT JOIN {ORDERS} o ON t.kind IN ('SQUARE_OFF_CHARGED', 'EXIT_UNFILLED') AND o.order_id = t.ref
  WHERE t.kind IN ('DP_CHARGED', 'SQUARE_OFF_CHARGED', 'INTEREST_CHARGED', 'DIVIDEND_PAID',
    'EXIT_UNFILLED')) e
  USING (user_id, seq)
WHERE (e.kind, e.day, e.instrument) IS DISTINCT FROM (CASE j.job WHEN 'DEPOSITORY' THEN 'DP_CHARGED'
  WHEN 'SQUARE_OFF' THEN 'SQUARE_OFF_CHARGED' WHEN 'INTEREST' THEN 'INTEREST_CHARGED'
  WHEN 'DIVIDEND' THEN 'DIVIDEND_PAID'
  WHEN 'EXIT_ALERT' THEN 'EXIT_UNFILLED' END, j.day, j.instrument)
ORDER BY user_id, seq
""",
)

# Not wrong in the books, but a fact they do not have yet: a person must look.
_PARKED = Check(
    "parked reports",
    "SELECT count(*) FROM ledger.parked_execution",
    """
SELECT format('%s position %s (user %s, order %s): %s', session, position, user_id, order_id, why)
FROM ledger.parked_execution ORDER BY at, session, position
""",
)

LEDGER_CHECKS: Final = (
    _POSTINGS_BALANCE, _CASH_IS_POSTED, _FILL_HAS_EXECUTION, _EXECUTION_HAS_FILL, _EXECUTION_MONEY,
    _CHARGE_HEADS, _ORDER_TOTALS, _ORDER_IS_LOGGED, _RELEASES, _LOANS, _DEPOSITS, _JOBS, _PARKED,
)  # fmt: skip
