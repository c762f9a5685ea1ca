"""What an order is: what it was placed as, what its latest event says, what its fills add up to."""

from typing import Final

from infra.command.checks import EVENT, ORDERS, TRADE, Check, rows_of

_ORDER_TOTALS = Check(
    "order totals",
    rows_of("orders"),
    f"""
SELECT format('order %s: filled %s worth %s, its executions %s worth %s', o.order_id,
  o.filled_quantity, o.traded_value, coalesce(sum(x.quantity), 0), coalesce(sum(x.value), 0))
FROM {ORDERS} o LEFT JOIN {TRADE} x ON x.order_id = o.order_id
GROUP BY o.user_id, o.order_id, o.filled_quantity, o.traded_value, o.quantity, o.status
HAVING o.filled_quantity <> coalesce(sum(x.quantity), 0)
  OR o.traded_value <> coalesce(sum(x.value), 0)
  OR (o.status = 'FILLED') <> (o.filled_quantity >= o.quantity)
  OR o.filled_quantity > o.quantity AND NOT EXISTS (SELECT FROM {EVENT} e
    WHERE e.user_id = o.user_id AND e.ref = o.order_id AND e.kind = 'ORDER_OVERFILLED')
ORDER BY o.order_id
""",
)

_ORDER_CHARGES = Check(
    "order charges",
    rows_of("orders", "charges <> '{0,0,0,0,0,0,0}'"),
    f"""
SELECT format('order %s: was charged %s, its fills say %s', o.order_id, o.charges, f.charges)
FROM {ORDERS} o LEFT JOIN (SELECT user_id, order_id, array_agg(amount ORDER BY head) AS charges
  FROM (SELECT t.user_id, t.ref AS order_id, c.head, sum(CASE t.kind WHEN 'FILL'
      THEN c.amount::bigint ELSE -c.amount::bigint END)::bigint AS amount
    FROM {EVENT} t, jsonb_array_elements_text(coalesce(t.body::jsonb #> '{{fill,heads}}',
        t.body::jsonb #> '{{bust,heads}}')) WITH ORDINALITY AS c (amount, head)
    WHERE t.kind IN ('FILL', 'FILL_BUSTED') GROUP BY t.user_id, t.ref, c.head) h
  GROUP BY user_id, order_id) f USING (user_id, order_id)
WHERE o.charges <> coalesce(f.charges, '{{0,0,0,0,0,0,0}}') ORDER BY o.order_id
""",
)

# What nothing changes afterwards, as the event of placing has it, byte for byte; but what an order
# is charged by, when it waited, is what stood on the day it was released.
_ORDER_PLACING = Check(
    "order placing",
    rows_of("orders"),
    f"""
SELECT format('order %s: was not placed as user %s seq %s says', o.order_id, o.user_id,
  o.placed_seq)
FROM {ORDERS} o LEFT JOIN (SELECT user_id, seq AS placed_seq, ref AS order_id, body::json AS told
  FROM {EVENT} t WHERE kind IN ('ORDER_PLACED', 'ORDER_DENIED')) e
  USING (user_id, placed_seq, order_id)
LEFT JOIN (SELECT user_id, seq AS released_seq, body::json AS told
  FROM {EVENT} t WHERE kind = 'ORDER_RELEASED') r USING (user_id, released_seq)
WHERE (o.context, encode(o.fingerprint, 'hex'), to_jsonb(o.charge_rates)) IS DISTINCT FROM
  ((e.told -> 'context')::text, e.told ->> 'fingerprint',
  (coalesce(r.told, e.told) -> 'charge_rates')::jsonb)
ORDER BY o.order_id
""",
)

# The events that tell of an order itself; others only have to do with one (a loan, a fee).
_TELLS_OF_AN_ORDER = """(kind LIKE 'ORDER\\_%'
    OR kind IN ('FILL', 'FILL_BUSTED', 'CANCEL_REQUESTED', 'MODIFY_REQUESTED', 'CANCEL_REPEATED',
      'CHANGE_DENIED', 'CHANGE_REFUSED'))"""

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
WHERE l.facts IS DISTINCT FROM jsonb_build_object('order_id', o.order_id,
  'client_order_id', o.client_order_id, 'venue_order_id', o.venue_order_id,
  'symbol', o.symbol, 'side', o.side, 'type', o.type,
  'quantity', o.quantity, 'disclosed_quantity', o.disclosed_quantity, 'price', o.price,
  'limit_price', o.limit_price, 'parent_order_id', o.parent_order_id,
  'group_id', o.group_id, 'leg', o.leg, 'stance', o.stance, 'exits', o.exits,
  'trail', o.trail, 'trail_step', o.trail_step,
  'trigger_price', o.trigger_price, 'trigger_above', o.trigger_above,
  'releases_at', (extract(epoch FROM o.releases_at) * 1000000)::bigint,
  'expires_at', (extract(epoch FROM o.expires_at) * 1000000)::bigint,
  'product', o.product, 'validity', o.validity, 'trade_date', o.trade_date, 'reserved', o.reserved,
  'margin_rate', o.margin_rate, 'status', o.status, 'filled_quantity', o.filled_quantity,
  'traded_value', o.traded_value, 'pending_change', o.pending_change,
  'cancel_waits', coalesce(o.pending_change = 'MODIFY' AND o.change_keys[1] LIKE 'cancel %', false),
  'pending_quantity', o.pending_quantity, 'pending_price', o.pending_price,
  'pending_reserved', o.pending_reserved, 'request', o.request,
  'accepted_request', o.accepted_request, 'reason_code', o.reason_code, 'reason', o.reason,
  'rules', o.rules, 'created_at', (extract(epoch FROM o.created_at) * 1000000)::bigint,
  'updated_at', (extract(epoch FROM o.updated_at) * 1000000)::bigint, 'version', o.version)
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

#: The events that answer a change, and so use up its request_id; an order that waits is changed by
#: the event that tells what it became.
_ANSWERS_A_CHANGE = """(kind IN ('CANCEL_REQUESTED', 'MODIFY_REQUESTED', 'CANCEL_REPEATED',
    'CHANGE_DENIED')
    OR kind IN ('ORDER_CANCELLED', 'ORDER_MODIFIED') AND body::jsonb ? 'change_key')"""

# The latest first; but a cancel that was asked for again while it was on its way stands before what
# repeated it. Every replace that was accepted, the very latest, and 99 of the others.
_CHANGE_KEYS = Check(
    "change keys",
    rows_of("ledger_event", _ANSWERS_A_CHANGE),
    f"""
SELECT format('order %s: knows the changes %s of events %s, its events say %s of %s', order_id,
  o.keys, o.seqs, e.keys, e.seqs)
FROM (SELECT user_id, order_id, change_keys AS keys, change_seqs AS seqs FROM {ORDERS} t
  WHERE change_keys IS NOT NULL OR change_seqs IS NOT NULL) o
FULL JOIN (SELECT user_id, order_id,
    array_agg(key ORDER BY asked DESC, seq = asked DESC, seq DESC) AS keys,
    array_agg(seq ORDER BY asked DESC, seq = asked DESC, seq DESC) AS seqs
  FROM (SELECT k.*, count(*) FILTER (WHERE other) OVER (PARTITION BY user_id, order_id
        ORDER BY asked DESC, seq = asked DESC, seq DESC) AS others
    FROM (SELECT user_id, ref AS order_id, seq, body::jsonb ->> 'change_key' AS key,
        max(seq) FILTER (WHERE kind <> 'CANCEL_REPEATED')
          OVER (PARTITION BY user_id, ref ORDER BY seq) AS asked,
        kind NOT IN ('MODIFY_REQUESTED', 'ORDER_MODIFIED')
          AND seq < max(seq) OVER (PARTITION BY user_id, ref) AS other
      FROM {EVENT} t WHERE {_ANSWERS_A_CHANGE}) k) k
  WHERE NOT other OR others <= 99 GROUP BY user_id, order_id) e USING (user_id, order_id)
WHERE (o.keys, o.seqs) IS DISTINCT FROM (e.keys, e.seqs) ORDER BY order_id
""",
)

ORDER_CHECKS: Final = (
    _ORDER_TOTALS, _ORDER_CHARGES, _ORDER_PLACING, _ORDER_IS_LOGGED, _RELEASES, _CHANGE_KEYS,
)  # fmt: skip
