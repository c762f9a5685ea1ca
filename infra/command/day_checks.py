"""What a day comes to: its contract notes, and the totals that anchors fold its postings into."""

from typing import Final

from infra.command.checks import BUST, EVENT, EXECUTION, POSTING, TRADE, Check, home, rows_of

_NOTE = home("contract_note")

# The chain covers the document by its hash, so an edited one is found even with a new event hash.
_NOTES = Check(
    "contract notes",
    rows_of("contract_note"),
    f"""
SELECT format('user %s note of %s version %s: is not what event %s says',
  coalesce(n.user_id, e.user_id),
  coalesce(n.trade_date::text, e.note ->> 'trade_date'),
  coalesce(n.version::text, e.note ->> 'version'), coalesce(n.seq, e.seq))
FROM {_NOTE} n FULL JOIN (SELECT t.user_id, t.seq, t.at, t.body::jsonb -> 'contract_note' AS note
  FROM {EVENT} t WHERE t.kind = 'CONTRACT_NOTE') e ON e.user_id = n.user_id AND e.seq = n.seq
LEFT JOIN {_NOTE} b ON b.user_id = n.user_id AND b.trade_date = n.trade_date
  AND b.version = n.version - 1
WHERE e.note IS NULL OR n.body IS NULL
  OR e.note ->> 'sha256' <> encode(sha256(convert_to(n.body, 'UTF8')), 'hex')
  OR (e.note ->> 'trade_date')::date <> n.trade_date
  OR (e.note ->> 'version')::integer <> n.version
  OR (e.note ->> 'through')::bigint <> n.through
  OR e.note -> 'charges' <> to_jsonb(n.charges)
  OR n.at <> e.at
  OR n.version > 1 AND (b.version IS NULL OR b.through >= n.through)
ORDER BY coalesce(n.user_id, e.user_id), coalesce(n.seq, e.seq)
""",
)

# After the latest note what is booked for that day by charge is what the note says.
_NOTES_AGREE = Check(
    "notes and postings",
    rows_of("contract_note"),
    f"""
SELECT format('user %s note of %s version %s: says %s for %s, booked is %s', n.user_id,
  n.trade_date, n.version, n.charges[h.head], h.account, coalesce(b.amount, 0))
FROM (SELECT DISTINCT ON (user_id, trade_date) * FROM {_NOTE} t
  ORDER BY user_id, trade_date, version DESC) n
CROSS JOIN ledger.charge_head h
LEFT JOIN (SELECT x.user_id, x.trade_date, p.account, sum(p.amount) AS amount FROM (
    SELECT e.user_id, e.trade_date, e.seq FROM {EXECUTION} e WHERE e.exec_type IN ('F', 'G')
    UNION ALL SELECT u.user_id, u.trade_date, u.seq FROM {BUST} u
    UNION ALL SELECT m.user_id, m.trade_date, m.seq FROM {_NOTE} m) x
  JOIN {POSTING} p ON p.user_id = x.user_id AND p.seq = x.seq
  GROUP BY x.user_id, x.trade_date, p.account) b
  ON b.user_id = n.user_id AND b.trade_date = n.trade_date AND b.account = h.account
WHERE h.head <= 7 AND n.charges[h.head] <> coalesce(b.amount, 0)
  AND NOT EXISTS (SELECT FROM ledger.contract_note_due d
    WHERE d.user_id = n.user_id AND d.trade_date = n.trade_date)
ORDER BY n.user_id, n.trade_date, h.head
""",
)

_NOTES_DUE = Check(
    "notes due",
    rows_of("contract_note_due"),
    f"""
SELECT format('user %s: traded on %s after its note and is not due for another', x.user_id,
  x.trade_date)
FROM (SELECT user_id, trade_date, max(seq) AS latest FROM {TRADE} e
  GROUP BY user_id, trade_date) x
LEFT JOIN (SELECT user_id, trade_date, max(through) AS through FROM {_NOTE} t
  GROUP BY user_id, trade_date) n USING (user_id, trade_date)
WHERE x.latest > coalesce(n.through, 0) AND NOT EXISTS (SELECT FROM ledger.contract_note_due d
  WHERE d.user_id = x.user_id AND d.trade_date = x.trade_date)
ORDER BY x.user_id, x.trade_date
""",
)

# Of every event that this shard wrote, whoever lives here now: 0 marks what a move brought.
_DAY_TOTALS = Check(
    "day totals",
    "SELECT count(*) FROM ledger.day_total",
    """
SELECT format('%s %s of %s: folded is %s less %s, the postings up to the latest anchor say %s, %s',
  account, asset, day, coalesce(d.credits, 0), coalesce(d.debits, 0), coalesce(p.credits, 0),
  coalesce(p.debits, 0))
FROM ledger.day_total d
FULL JOIN (SELECT (e.at AT TIME ZONE 'Asia/Kolkata')::date AS day, x.account, x.asset,
    sum(greatest(-x.amount, 0)) AS debits, sum(greatest(x.amount, 0)) AS credits,
    count(*) AS lines
  FROM ledger.ledger_event e JOIN ledger.posting x USING (user_id, seq)
  WHERE e.xact > 0 AND e.xact < (SELECT max(through) FROM ledger.anchor) GROUP BY 1, 2, 3) p
  USING (day, account, asset)
WHERE (d.debits, d.credits, d.lines) IS DISTINCT FROM (p.debits, p.credits, p.lines)
ORDER BY day, account, asset
""",
)

# An anchor has a leaf for each user with an event of its transactions, wherever that user is now.
_ANCHORED_USERS = Check(
    "anchored users",
    "SELECT count(*) FROM ledger.anchor",
    """
SELECT format('anchor %s: has the heads of %s users, of its transactions the log has %s', number,
  a.users, coalesce(e.users, 0))
FROM (SELECT number, size - lag(size, 1, 0::bigint) OVER (ORDER BY number) AS users
  FROM ledger.anchor) a
LEFT JOIN (SELECT width_bucket(t.xact, (SELECT array_agg(through ORDER BY number)
    FROM ledger.anchor)) + 1 AS number, count(DISTINCT t.user_id) AS users
  FROM ledger.ledger_event t WHERE t.xact > 0 GROUP BY 1) e USING (number)
WHERE a.users <> coalesce(e.users, 0) ORDER BY number
""",
)

DAY_CHECKS: Final = (_NOTES, _NOTES_AGREE, _NOTES_DUE, _DAY_TOTALS, _ANCHORED_USERS)
