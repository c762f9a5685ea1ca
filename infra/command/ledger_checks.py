"""What must hold between the ledger's tables, as questions that answer only what is wrong.

Invariant: each question returns text that names a wrong row, ordered so that the first is always
the same one, and no row when all is well.
"""

from typing import Final, NamedTuple


class Check(NamedTuple):
    """`rows`: SQL for how many rows are looked at; `wrong`: SQL for those that are wrong."""

    name: str
    rows: str
    wrong: str


_POSTINGS_BALANCE = Check(
    "postings",
    "SELECT count(*) FROM ledger.posting",
    """
SELECT format('user %s seq %s: %s postings sum to %s, not 0', user_id, seq, asset, sum(amount))
FROM ledger.posting GROUP BY user_id, seq, asset HAVING sum(amount) <> 0
ORDER BY user_id, seq, asset
""",
)

# Both ways: an event that moved cash without its posting, and a posting without its event.
_CASH_IS_POSTED = Check(
    "cash postings",
    "SELECT count(*) FROM ledger.ledger_event WHERE cash_change <> 0",
    """
SELECT format('user %s seq %s: the event moves %s, its postings to client:cash %s',
  user_id, seq, coalesce(e.cash_change, 0), coalesce(p.amount, 0))
FROM (SELECT user_id, seq, cash_change FROM ledger.ledger_event) e
FULL JOIN (SELECT user_id, seq, sum(amount) FILTER (WHERE account = 'client:cash') AS amount
  FROM ledger.posting GROUP BY user_id, seq) p USING (user_id, seq)
WHERE coalesce(e.cash_change, 0) <> coalesce(p.amount, 0) OR e.cash_change IS NULL
ORDER BY user_id, seq
""",
)

_FILL_HAS_EXECUTION = Check(
    "fills",
    "SELECT count(*) FROM ledger.ledger_event WHERE kind = 'FILL'",
    """
SELECT format('user %s seq %s: fill %s of order %s has %s matching executions', e.user_id, e.seq,
  e.body::jsonb #>> '{fill,exec_id}', e.ref, count(x.exec_id))
FROM ledger.ledger_event e LEFT JOIN ledger.execution x
  ON x.user_id = e.user_id AND x.seq = e.seq AND x.order_id = e.ref AND x.exec_type = 'F'
  AND x.exec_id = e.body::jsonb #>> '{fill,exec_id}'
  AND to_char(x.trade_date, 'YYYY-MM-DD') = e.body::jsonb #>> '{fill,trade_date}'
  AND x.quantity = (e.body::jsonb #>> '{fill,quantity}')::bigint
  AND x.price = (e.body::jsonb #>> '{fill,price}')::bigint
  AND x.value = (e.body::jsonb #>> '{fill,value}')::bigint
  AND x.charges = (e.body::jsonb #>> '{fill,charges}')::bigint
WHERE e.kind = 'FILL' GROUP BY e.user_id, e.seq, e.body, e.ref HAVING count(x.exec_id) <> 1
ORDER BY e.user_id, e.seq
""",
)

_EXECUTION_HAS_FILL = Check(
    "executions",
    "SELECT count(*) FROM ledger.execution",
    """
SELECT format('execution %s of %s (order %s, user %s): is booked by %s events', x.exec_id,
  x.trade_date, x.order_id, x.user_id, count(e.seq))
FROM ledger.execution x LEFT JOIN ledger.ledger_event e
  ON e.user_id = x.user_id AND e.seq = x.seq AND e.ref = x.order_id
  AND (e.kind = 'FILL') = (x.exec_type = 'F')
GROUP BY x.venue, x.trade_date, x.exec_id HAVING count(e.seq) <> 1
ORDER BY x.trade_date, x.exec_id
""",
)

# A trade's money, worked out again: value at half a paisa up, cash = value and charges.
_EXECUTION_MONEY = Check(
    "execution values",
    "SELECT count(*) FROM ledger.execution WHERE exec_type = 'F'",
    """
SELECT format('execution %s of %s: %s at %s is not worth %s, or its event moves another amount',
  x.exec_id, x.trade_date, x.quantity, x.price, x.value)
FROM ledger.execution x JOIN ledger.orders o ON o.order_id = x.order_id
JOIN ledger.ledger_event e ON e.user_id = x.user_id AND e.seq = x.seq
WHERE x.exec_type = 'F' AND (x.value <> floor(x.quantity::numeric * x.price / 100 + 0.5)
  OR e.cash_change <> CASE o.side WHEN 'BUY' THEN -x.value ELSE x.value END - x.charges)
ORDER BY x.trade_date, x.exec_id
""",
)

_ORDER_TOTALS = Check(
    "order totals",
    "SELECT count(*) FROM ledger.orders",
    """
SELECT format('order %s: filled %s worth %s, its executions %s worth %s', o.order_id,
  o.filled_quantity, o.traded_value, coalesce(sum(x.quantity), 0), coalesce(sum(x.value), 0))
FROM ledger.orders o LEFT JOIN ledger.execution x
  ON x.order_id = o.order_id AND x.exec_type = 'F'
GROUP BY o.order_id HAVING o.filled_quantity <> coalesce(sum(x.quantity), 0)
  OR o.traded_value <> coalesce(sum(x.value), 0)
  OR (SELECT sum(c) FROM unnest(o.charges) c) <> coalesce(sum(x.charges), 0)
  OR o.filled_quantity > o.quantity OR (o.status = 'FILLED') <> (o.filled_quantity = o.quantity)
ORDER BY o.order_id
""",
)

_ORDER_IS_LOGGED = Check(
    "order events",
    "SELECT count(*) FROM ledger.orders",
    """
SELECT format('order %s: %s, version %s; its last event says %s, version %s', o.order_id, o.status,
  o.version, l.facts ->> 'status', l.facts ->> 'version')
FROM ledger.orders o LEFT JOIN (SELECT DISTINCT ON (e.user_id, e.ref) e.user_id, e.ref,
    e.body::jsonb -> 'order' AS facts
  FROM ledger.ledger_event e WHERE e.ref IS NOT NULL AND e.kind NOT IN ('BORROWED', 'REPAID')
  ORDER BY e.user_id, e.ref, e.seq DESC) l ON l.user_id = o.user_id AND l.ref = o.order_id
WHERE l.facts IS NULL OR l.facts ->> 'status' <> o.status
  OR (l.facts ->> 'version')::integer <> o.version
  OR (l.facts ->> 'filled_quantity')::bigint <> o.filled_quantity
ORDER BY o.order_id
""",
)

_HOLDINGS = Check(
    "holdings",
    "SELECT count(*) FROM ledger.holding",
    """
SELECT format('user %s %s: holds %s, its postings say %s', user_id, symbol,
  coalesce(h.quantity, 0), coalesce(p.amount, 0))
FROM ledger.holding h FULL JOIN (SELECT user_id, asset AS symbol, sum(amount) AS amount
  FROM ledger.posting WHERE account = 'client:holding' GROUP BY user_id, asset) p
  USING (user_id, symbol)
WHERE coalesce(h.quantity, 0) <> coalesce(p.amount, 0) ORDER BY user_id, symbol
""",
)

_LOTS = Check(
    "lots",
    "SELECT count(*) FROM ledger.holding_lot",
    """
SELECT format('user %s %s: holds %s, its lots are %s', user_id, symbol,
  coalesce(h.quantity, 0), coalesce(l.quantity, 0))
FROM ledger.holding h FULL JOIN (SELECT user_id, symbol, sum(quantity) AS quantity
  FROM ledger.holding_lot GROUP BY user_id, symbol) l USING (user_id, symbol)
WHERE coalesce(h.quantity, 0) <> coalesce(l.quantity, 0) ORDER BY user_id, symbol
""",
)

# What each working order must keep reserved: its unfilled part, rounded up, of the dearer of what
# it is and what it is asked to become.
_WORKING = """
  SELECT user_id, symbol, side, CASE WHEN side = 'BUY' THEN greatest(
      ceil(reserved::numeric * (quantity - filled_quantity) / quantity),
      CASE WHEN pending_change = 'MODIFY' AND pending_quantity > filled_quantity
        THEN ceil(pending_reserved::numeric * (pending_quantity - filled_quantity)
          / pending_quantity) ELSE 0 END) ELSE 0 END AS cash,
    greatest(quantity, coalesce(pending_quantity, 0)) - filled_quantity AS shares
  FROM ledger.orders WHERE status IN ('PENDING', 'OPEN', 'PARTIALLY_FILLED')
"""

_HOLDS = Check(
    "holds",
    "SELECT count(*) FROM ledger.account",
    f"""
SELECT format('user %s: holds %s for %s orders; its open orders need %s and are %s', a.user_id,
  a.held, a.open_orders, coalesce(w.cash, 0), coalesce(w.orders, 0))
FROM ledger.account a LEFT JOIN (SELECT user_id, sum(cash) AS cash, count(*) AS orders
  FROM ({_WORKING}) o GROUP BY user_id) w USING (user_id)
WHERE a.held <> coalesce(w.cash, 0) OR a.open_orders <> coalesce(w.orders, 0)
ORDER BY a.user_id
""",
)

_OPEN_SELLS = Check(
    "open sells",
    "SELECT count(*) FROM ledger.holding WHERE open_sell > 0",
    f"""
SELECT format('user %s %s: %s shares in open sells, its open orders say %s', user_id, symbol,
  coalesce(h.open_sell, 0), coalesce(w.shares, 0))
FROM ledger.holding h FULL JOIN (SELECT user_id, symbol, sum(shares) AS shares
  FROM ({_WORKING}) o WHERE side = 'SELL' GROUP BY user_id, symbol) w USING (user_id, symbol)
WHERE coalesce(h.open_sell, 0) <> coalesce(w.shares, 0) ORDER BY user_id, symbol
""",
)

_DEPOSITS = Check(
    "deposits",
    "SELECT count(*) FROM ledger.deposit",
    """
SELECT format('user %s deposit %s: is not the DEPOSITED event of seq %s', user_id,
  coalesce(d.client_id, '?'), seq)
FROM ledger.deposit d FULL JOIN (SELECT user_id, seq, cash_change FROM ledger.ledger_event
  WHERE kind = 'DEPOSITED') e USING (user_id, seq)
WHERE d.amount IS DISTINCT FROM e.cash_change ORDER BY user_id, seq
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

CHECKS: Final = (
    _POSTINGS_BALANCE, _CASH_IS_POSTED, _FILL_HAS_EXECUTION, _EXECUTION_HAS_FILL, _EXECUTION_MONEY,
    _ORDER_TOTALS, _ORDER_IS_LOGGED, _HOLDINGS, _LOTS, _HOLDS, _OPEN_SELLS, _DEPOSITS, _PARKED,
)  # fmt: skip
