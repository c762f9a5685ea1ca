"""What must hold between a shard's log, the venue's executions, and what its jobs did."""

from typing import Final

from infra.command.checks import ACCOUNT, EVENT, EXECUTION, ORDERS, POSTING, Check, home, rows_of

_FILL_HAS_EXECUTION = Check(
    "fills",
    rows_of("ledger_event", "kind = 'FILL'"),
    f"""
SELECT format('user %s seq %s: fill %s of order %s has %s matching executions', e.user_id, e.seq,
  e.fill ->> 'exec_id', e.ref, count(x.exec_id))
FROM (SELECT user_id, seq, ref, body::jsonb -> 'fill' AS fill FROM {EVENT} t
  WHERE kind = 'FILL') e
LEFT JOIN {EXECUTION} x
  ON x.user_id = e.user_id AND x.seq = e.seq AND x.order_id = e.ref AND x.exec_type IN ('F', 'G')
  AND x.exec_id = e.fill ->> 'exec_id'
  AND x.trade_date = (e.fill ->> 'trade_date')::date
  AND x.settles_on = (e.fill ->> 'settles_on')::date
  AND x.quantity = (e.fill ->> 'quantity')::bigint
  AND x.price = (e.fill ->> 'price')::bigint
  AND x.value = (e.fill ->> 'value')::bigint
  AND x.charges = (e.fill ->> 'charges')::bigint
  AND x.at = to_timestamp(0) + (e.fill ->> 'at')::bigint * interval '1 microsecond'
  AND x.venue = 1
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
  AND CASE WHEN x.exec_type IN ('F', 'G') THEN e.kind = 'FILL'
    WHEN x.exec_type = 'H' THEN e.kind = 'FILL_BUSTED' ELSE e.kind LIKE 'ORDER\\_%' END
GROUP BY x.venue, x.trade_date, x.exec_id, x.order_id, x.user_id HAVING count(e.seq) <> 1
ORDER BY x.trade_date, x.exec_id
""",
)

# A report that moved no money: what it was is in the event it became.
_REPORTS = Check(
    "reports",
    rows_of("execution", "exec_type NOT IN ('F', 'G', 'H')"),
    f"""
SELECT format('user %s seq %s: the venue reported %s of %s, the execution is %s of %s', user_id,
  seq, e.told ->> 'exec_id', e.told ->> 'trade_date', x.exec_id, x.trade_date)
FROM (SELECT * FROM {EXECUTION} t WHERE exec_type NOT IN ('F', 'G', 'H')) x
FULL JOIN (SELECT user_id, seq, body::jsonb -> 'execution' AS told FROM {EVENT} t
  WHERE kind LIKE 'ORDER\\_%' AND kind NOT IN ('ORDER_PLACED', 'ORDER_DENIED')
    AND body::jsonb ? 'execution') e USING (user_id, seq)
WHERE e.told IS DISTINCT FROM jsonb_build_object('exec_id', x.exec_id, 'exec_type', x.exec_type,
    'trade_date', x.trade_date, 'settles_on', x.settles_on,
    'at', (extract(epoch FROM x.at) * 1000000)::bigint)
  OR (x.venue, x.quantity, x.price, x.value, x.charges) <> (1, 0, 0, 0, 0)
ORDER BY user_id, seq
""",
)

# A trade's money, worked out again: value at half a paisa up; for delivery cash moves by the value
# and the charges; intraday the value stays in the position, and cash moves by what was realised. A
# delivery sale that lacked shares is both.
_EXECUTION_MONEY = Check(
    "execution values",
    rows_of("execution", "exec_type IN ('F', 'G')"),
    f"""
SELECT format('execution %s of %s: %s at %s is not worth %s, or its event moves another amount',
  x.exec_id, x.trade_date, x.quantity, x.price, x.value)
FROM {EXECUTION} x JOIN {ORDERS} o ON o.order_id = x.order_id
JOIN {EVENT} e ON e.user_id = x.user_id AND e.seq = x.seq
LEFT JOIN (SELECT user_id, seq, sum(amount) AS amount FROM {POSTING} t
  WHERE account IN ('client:position', 'house:clearing') AND asset = 'INR'
  GROUP BY user_id, seq) p ON p.user_id = x.user_id AND p.seq = x.seq
WHERE x.exec_type IN ('F', 'G') AND (x.value <> floor(x.quantity::numeric * x.price / 100 + 0.5)
  OR e.cash_change <> -coalesce(p.amount, 0) - x.charges
  OR o.product = 'CNC' AND NOT e.body::jsonb ? 'short'
    AND e.cash_change <> CASE o.side WHEN 'BUY' THEN -x.value ELSE x.value END - x.charges)
ORDER BY x.trade_date, x.exec_id
""",
)

# How fast an account may place orders hangs on what it was opened as.
_CLASSES = Check(
    "account classes",
    rows_of("account"),
    f"""
SELECT format('user %s: is of class %s, was opened as %s', user_id, a.class, e.class)
FROM {ACCOUNT} a LEFT JOIN (SELECT user_id, body::jsonb ->> 'class' AS class FROM {EVENT} t
  WHERE kind = 'ACCOUNT_OPENED') e USING (user_id)
WHERE a.class IS DISTINCT FROM e.class ORDER BY user_id
""",
)

_LOANS = Check(
    "loans",
    rows_of("account"),
    f"""
SELECT format('user %s: owes %s, its postings to house:receivable say %s%s', user_id, a.borrowed,
  coalesce(-p.amount, 0), CASE WHEN a.borrowed > 0 AND l.user_id IS NULL
    THEN ', and no row of loan has it charged'
    WHEN l.user_id IS NOT NULL AND p.user_id IS NULL THEN ', and a row of loan is of no lending'
    ELSE '' END)
FROM {ACCOUNT} a LEFT JOIN (SELECT user_id, sum(amount) AS amount FROM {POSTING} t
  WHERE account = 'house:receivable' GROUP BY user_id) p USING (user_id)
FULL JOIN {home("loan")} l USING (user_id)
WHERE a.borrowed IS DISTINCT FROM coalesce(-p.amount, 0) OR a.borrowed > 0 AND l.user_id IS NULL
  OR l.user_id IS NOT NULL AND p.user_id IS NULL
ORDER BY user_id
""",
)

# The interest of each day that is charged by now, on the loan as the log has it at the day's end in
# India: days through which a loan is charged, and all days of loans that are repaid.
_INTEREST = Check(
    "interest",
    rows_of("ledger_event", "kind = 'INTEREST_CHARGED'"),
    f"""
WITH lent AS (SELECT e.user_id, e.borrowed, e.at, lead(e.at) OVER (PARTITION BY e.user_id
    ORDER BY e.seq) AS until
  FROM {EVENT} e WHERE e.user_id IN (SELECT x.user_id FROM {EVENT} x WHERE x.kind = 'BORROWED'))
SELECT format('user %s: the interest of %s is %s on a loan of %s, booked is %s', user_id, day,
  coalesce(i.amount, 0), coalesce(i.loan, 0), coalesce(e.amount, 0))
FROM (SELECT b.user_id, d.day::date AS day, b.borrowed AS loan, r.basis_points,
    floor((b.borrowed::numeric * r.basis_points * 2 + 3650000) / 7300000) AS amount
  FROM lent b LEFT JOIN {home("loan")} l USING (user_id)
  CROSS JOIN LATERAL generate_series((b.at AT TIME ZONE 'Asia/Kolkata')::date,
    least((b.until AT TIME ZONE 'Asia/Kolkata')::date - 1, l.charged_through), '1 day') d (day)
  LEFT JOIN LATERAL (SELECT x.basis_points FROM ledger.interest_rate x
    WHERE x.valid_from <= d.day ORDER BY x.valid_from DESC LIMIT 1) r ON true
  WHERE b.borrowed > 0) i
FULL JOIN (SELECT user_id, (told ->> 'day')::date AS day, (told ->> 'loan')::bigint AS loan,
    (told ->> 'basis_points')::bigint AS basis_points, (told ->> 'amount')::bigint AS amount,
    cash_change
  FROM (SELECT user_id, cash_change, body::jsonb -> 'interest' AS told FROM {EVENT} t
    WHERE kind = 'INTEREST_CHARGED') t) e USING (user_id, day)
WHERE i.amount IS DISTINCT FROM 0 AND (i.loan, i.basis_points, i.amount, i.amount)
  IS DISTINCT FROM (e.loan, e.basis_points, e.amount, -e.cash_change) ORDER BY user_id, day
""",
)

# Announcements are each shard's own: one that paid before its slot moved is at its old home.
_DIVIDENDS = Check(
    "dividends",
    rows_of("ledger_event", "kind = 'DIVIDEND_PAID'"),
    f"""
SELECT format('user %s seq %s: is paid %s for %s of %s, announced is %s a share', e.user_id, e.seq,
  e.cash_change, e.quantity, e.symbol, d.per_share)
FROM (SELECT user_id, seq, xact, cash_change, told ->> 'symbol' AS symbol,
    (told ->> 'record_date')::date AS record_date, (told ->> 'quantity')::bigint AS quantity,
    (told ->> 'per_share')::bigint AS per_share
  FROM (SELECT user_id, seq, xact, cash_change, body::jsonb -> 'dividend' AS told
    FROM {EVENT} t WHERE kind = 'DIVIDEND_PAID') t) e
LEFT JOIN ledger.dividend d USING (symbol, record_date)
WHERE e.cash_change <> floor((e.quantity::numeric * e.per_share + 50) / 100)
  OR e.per_share IS DISTINCT FROM coalesce(d.per_share, CASE e.xact WHEN 0 THEN e.per_share END)
ORDER BY e.user_id, e.seq
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
  LEFT JOIN {ORDERS} o ON t.kind IN ('SQUARE_OFF_CHARGED', 'SQUARE_OFF_REFUNDED', 'EXIT_UNFILLED')
    AND o.order_id = t.ref
  WHERE t.kind IN ('DP_CHARGED', 'SQUARE_OFF_CHARGED', 'SQUARE_OFF_REFUNDED', 'INTEREST_CHARGED',
    'DIVIDEND_PAID', 'EXIT_UNFILLED')) e
  USING (user_id, seq)
WHERE (e.kind, e.day, e.instrument) IS DISTINCT FROM (CASE j.job WHEN 'DEPOSITORY' THEN 'DP_CHARGED'
  WHEN 'SQUARE_OFF' THEN 'SQUARE_OFF_CHARGED' WHEN 'INTEREST' THEN 'INTEREST_CHARGED'
  WHEN 'DIVIDEND' THEN 'DIVIDEND_PAID'
  WHEN 'SQUARE_OFF_REFUND' THEN 'SQUARE_OFF_REFUNDED'
  WHEN 'EXIT_ALERT' THEN 'EXIT_UNFILLED' END, j.day, split_part(j.instrument, ':', 1))
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

# An ending waits for fills only while its order works, and has fewer than the ending counts.
_EARLY_ENDINGS = Check(
    "early endings",
    "SELECT count(*) FROM ledger.early_ending",
    f"""
SELECT format('order %s of user %s: %s, with %s filled, and its ending still waits for %s',
  x.order_id, x.user_id, coalesce(o.status, 'is lost'), o.filled_quantity, x.cumulative)
FROM ledger.early_ending x LEFT JOIN {ORDERS} o USING (user_id, order_id)
WHERE (o.status IN ('PENDING', 'OPEN', 'PARTIALLY_FILLED') AND o.filled_quantity < x.cumulative)
  IS NOT TRUE ORDER BY x.order_id
""",
)

LEDGER_CHECKS: Final = (
    _FILL_HAS_EXECUTION, _EXECUTION_HAS_FILL, _REPORTS, _EXECUTION_MONEY, _CLASSES, _LOANS,
    _INTEREST, _DIVIDENDS, _JOBS, _PARKED,
    _EARLY_ENDINGS,
)  # fmt: skip
