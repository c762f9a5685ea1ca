"""Money in and out: each payment is what its events say, and each such event is a payment's."""

from typing import Final

from infra.command.checks import EVENT, POSTING, Check, home, rows_of

_PAYMENT, _DEPOSIT = home("payment"), home("deposit")

_DEPOSITS = Check(
    "deposits",
    rows_of("deposit"),
    f"""
SELECT format('user %s deposit %s: is not the DEPOSITED event of seq %s', user_id,
  coalesce(d.client_id, '?'), seq)
FROM {_DEPOSIT} d FULL JOIN (SELECT user_id, seq, cash_change, body::jsonb ->> 'client_id'
    AS client_id FROM {EVENT} t WHERE kind = 'DEPOSITED') e USING (user_id, seq)
WHERE (d.amount, d.client_id) IS DISTINCT FROM (e.cash_change, e.client_id)
ORDER BY user_id, seq
""",
)

# An ended payment is all that its last event tells; one under way is what it was asked for. How
# often the bank was asked meanwhile, and when next, moves no money and is in no event.
_ASKED = """jsonb_build_object('payment_id', p.payment_id, 'client_id', p.client_id,
    'direction', p.direction, 'amount', p.amount, 'requested_seq', p.requested_seq,
    'created_at', (extract(epoch FROM p.created_at) * 1000000)::bigint)"""
_PAYMENTS = Check(
    "payments",
    rows_of("payment"),
    f"""
SELECT format('payment %s of user %s: %s of %s is %s, and its events say otherwise', p.payment_id,
  p.user_id, p.direction, p.amount, p.state)
FROM {_PAYMENT} p
LEFT JOIN (SELECT user_id, seq, kind, ref, cash_change, body::jsonb -> 'payment' AS told
  FROM {EVENT} t) r ON r.user_id = p.user_id AND r.seq = p.requested_seq
LEFT JOIN (SELECT user_id, seq, kind, cash_change, body::jsonb -> 'payment' AS told
  FROM {EVENT} t) e ON e.user_id = p.user_id AND e.seq = p.ended_seq
LEFT JOIN {_DEPOSIT} d
  ON d.user_id = p.user_id AND d.client_id = 'payment:' || p.payment_id
WHERE coalesce(r.kind, '') <> CASE WHEN p.state = 'REFUSED' THEN ''
    WHEN p.direction = 'OUT' THEN 'WITHDRAWAL_REQUESTED' ELSE 'DEPOSIT_REQUESTED' END
  OR r.ref <> p.payment_id OR NOT r.told @> {_ASKED}
  OR r.cash_change <> CASE p.direction WHEN 'OUT' THEN -p.amount ELSE 0 END
  OR coalesce(e.kind, '') <> CASE p.state WHEN 'PAID' THEN 'WITHDRAWAL_PAID'
    WHEN 'RETURNED' THEN 'WITHDRAWAL_RETURNED' WHEN 'COLLECTED' THEN 'DEPOSITED'
    WHEN 'FAILED' THEN 'DEPOSIT_FAILED' WHEN 'REFUSED' THEN CASE p.direction
      WHEN 'OUT' THEN 'WITHDRAWAL_REFUSED' ELSE 'DEPOSIT_REFUSED' END ELSE '' END
  OR e.cash_change <> CASE WHEN p.state IN ('RETURNED', 'COLLECTED') THEN p.amount ELSE 0 END
  OR e.told IS DISTINCT FROM CASE WHEN e.seq IS NOT NULL THEN {_ASKED} || jsonb_build_object(
    'state', p.state, 'attempts', p.attempts, 'waits', p.due_at IS NOT NULL, 'reason', p.reason,
    'rules', p.rules, 'ended_seq', p.ended_seq,
    'updated_at', (extract(epoch FROM p.updated_at) * 1000000)::bigint) END
  OR e.seq IS NULL AND (p.ended_seq, p.reason, p.rules) IS DISTINCT FROM (NULL, NULL, NULL)
  OR p.direction = 'OUT' AND p.state = 'REQUESTED' AND p.attempts > 0
  OR (p.state = 'COLLECTED') <> coalesce(d.seq = p.ended_seq AND d.amount = p.amount, false)
ORDER BY p.payment_id
""",
)

# The other way: money that moved for a payment is that payment's, or its id could move it again.
_PAYMENT_EVENTS = Check(
    "payment events",
    rows_of("ledger_event", "kind LIKE 'WITHDRAWAL%' OR kind LIKE 'DEPOSIT\\_%'"),
    f"""
SELECT format('user %s seq %s: %s of payment %s, which does not know of it', e.user_id, e.seq,
  e.kind, e.payment)
FROM (SELECT user_id, seq, kind, ref AS payment FROM {EVENT} t
    WHERE kind LIKE 'WITHDRAWAL%' OR kind LIKE 'DEPOSIT\\_%'
  UNION ALL SELECT user_id, seq, 'DEPOSITED', substr(client_id, 9)::bigint
  FROM {_DEPOSIT} d WHERE client_id LIKE 'payment:%') e
LEFT JOIN {_PAYMENT} p ON p.user_id = e.user_id AND p.payment_id = e.payment
  AND e.seq IN (p.requested_seq, p.ended_seq)
WHERE p.payment_id IS NULL ORDER BY e.user_id, e.seq
""",
)

_PAYOUTS = Check(
    "payouts under way",
    rows_of("payment", "direction = 'OUT'"),
    f"""
SELECT format('user %s: %s is in house:payouts, its withdrawals under way are %s', user_id,
  coalesce(p.amount, 0), coalesce(w.amount, 0))
FROM (SELECT user_id, sum(amount) AS amount FROM {POSTING} t WHERE account = 'house:payouts'
  GROUP BY user_id) p
FULL JOIN (SELECT user_id, sum(amount) AS amount FROM {_PAYMENT} t
  WHERE direction = 'OUT' AND state IN ('REQUESTED', 'SENT') GROUP BY user_id) w USING (user_id)
WHERE coalesce(p.amount, 0) <> coalesce(w.amount, 0) ORDER BY user_id
""",
)

# The bank's last word never came, and nothing asks for it any more: a person must.
_STUCK_PAYMENTS = Check(
    "stuck payments",
    rows_of("payment", "state IN ('REQUESTED', 'SENT')"),
    f"""
SELECT format('payment %s of user %s: %s of %s is %s after %s attempts', payment_id, user_id,
  direction, amount, state, attempts)
FROM {_PAYMENT} t WHERE state IN ('REQUESTED', 'SENT') AND due_at IS NULL ORDER BY payment_id
""",
)

PAYMENT_CHECKS: Final = (
    _DEPOSITS, _PAYMENTS, _PAYMENT_EVENTS, _PAYOUTS, _STUCK_PAYMENTS,
)  # fmt: skip
