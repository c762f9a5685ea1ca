"""What each event posts: the postings, worked out again from the event's own words.

Invariant: an event moves its cash change and what its body tells between the accounts that its kind
has, and nothing else; so a posting in another account, or of another amount, is its event's fault.
"""

from typing import Final

from infra.command.checks import EVENT, POSTING, Check, rows_of

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

#: Kinds whose cash goes to or comes from one account.
_OTHER_SIDES: Final = {
    "BORROWED": "house:receivable", "REPAID": "house:receivable", "DEPOSITED": "house:bank",
    "WITHDRAWAL_REQUESTED": "house:payouts", "WITHDRAWAL_RETURNED": "house:payouts",
    "INTEREST_CHARGED": "house:interest", "DIVIDEND_PAID": "house:dividends",
    "SHORT_VALUED": "house:clearing", "POSITION_DELIVERED": "client:position",
}  # fmt: skip
_OTHER_SIDE = ", ".join(f"('{kind}', '{account}')" for kind, account in _OTHER_SIDES.items())


def _number(path: str, body: str = "body") -> str:
    return f"({body} #>> '{{{path}}}')::bigint"


# A fill that was taken back is the fill with everything the other way.
# A fill's shares come from clearing, or go there, and its value goes the other way: a delivery
# fill's out of the client's cash; an intraday one's, and that of shares which a delivery sale
# lacked, out of the position, which pays out what was realised: the event's cash and the charges
# it paid, beyond what was delivered.
_FILLS = f"""
  SELECT user_id, seq, cash_change, body, symbol, sign * {_number("fill,quantity")} AS shares,
    sign * {_number("fill,value")} AS value, way * {_number("fill,charges")} AS charges,
    sign * coalesce({_number("short,quantity")}, CASE WHEN body #>> '{{fill,product}}' = 'MIS'
      THEN {_number("fill,quantity")} ELSE 0 END) AS traded
  FROM (SELECT user_id, seq, cash_change, body, body #>> '{{fill,symbol}}' AS symbol, way,
      way * CASE body #>> '{{fill,side}}' WHEN 'BUY' THEN 1 ELSE -1 END AS sign
    FROM told WHERE kind IN ('FILL', 'FILL_BUSTED')) f
"""
_CLOSED_OUT = f"""
  SELECT user_id, seq, cash_change, body #>> '{{shortage,symbol}}' AS symbol,
    {_number("shortage,quantity")} AS shares,
    {_number("shortage,value")} - {_number("shortage,returned")} AS paid,
    {_number("shortage,penalty")} AS penalty, {_number("shortage,tax")} AS tax
  FROM told WHERE kind = 'SHORT_CLOSED_OUT'
"""
_EVENT_POSTINGS = Check(
    "event postings",
    rows_of("posting"),
    f"""
WITH told AS MATERIALIZED (SELECT user_id, seq, kind, cash_change,
    CASE kind WHEN 'FILL_BUSTED' THEN -1 ELSE 1 END AS way,
    CASE WHEN kind IN ('FILL', 'FILL_BUSTED') THEN jsonb_build_object('fill',
        coalesce(body::jsonb -> 'fill', body::jsonb -> 'bust'), 'short', body::jsonb -> 'short')
      ELSE body::jsonb END AS body
    FROM {EVENT} t WHERE kind NOT LIKE 'ORDER\\_%'
      AND kind NOT IN ('CANCEL_REQUESTED', 'MODIFY_REQUESTED', 'CANCEL_REPEATED',
        'CHANGE_DENIED', 'CHANGE_REFUSED')),
  fill AS ({_FILLS}), closed AS ({_CLOSED_OUT}),
  said AS (
    SELECT user_id, seq, o.account, 'INR' AS asset, -cash_change AS amount
      FROM told JOIN (VALUES {_OTHER_SIDE}) o (kind, account) USING (kind)
    UNION ALL SELECT user_id, seq, account, 'INR', amount FROM told CROSS JOIN LATERAL (VALUES
      ('house:payouts', -{_number("payment,amount")}), ('house:bank', {_number("payment,amount")})
      ) x (account, amount) WHERE kind = 'WITHDRAWAL_PAID'
    UNION ALL SELECT user_id, seq, account, 'INR', amount FROM told CROSS JOIN LATERAL (VALUES
      ('charge:dp', {_number("depository,charge")}), ('charge:gst', {_number("depository,tax")})
      ) x (account, amount) WHERE kind = 'DP_CHARGED'
    UNION ALL SELECT user_id, seq, account, 'INR',
        CASE kind WHEN 'SQUARE_OFF_REFUNDED' THEN -amount ELSE amount END
      FROM told CROSS JOIN LATERAL (VALUES
      ('charge:brokerage', {_number("charged,fee")}), ('charge:gst', {_number("charged,tax")})
      ) x (account, amount) WHERE kind IN ('SQUARE_OFF_CHARGED', 'SQUARE_OFF_REFUNDED')
    UNION ALL SELECT user_id, seq, h.account, 'INR', way * c.amount::bigint
      FROM told CROSS JOIN LATERAL jsonb_array_elements_text(coalesce(body #> '{{fill,heads}}',
        body #> '{{contract_note,differences}}')) WITH ORDINALITY AS c (amount, head)
      JOIN ledger.charge_head h USING (head) WHERE kind IN ('FILL', 'FILL_BUSTED', 'CONTRACT_NOTE')
    UNION ALL SELECT user_id, seq, account, asset, amount FROM fill CROSS JOIN LATERAL (VALUES
      ('client:position', symbol, traded), ('client:holding', symbol, shares - traded),
      ('house:clearing', symbol, -shares), ('house:clearing', 'INR', value),
      ('client:position', 'INR', CASE traded WHEN 0 THEN 0 ELSE -cash_change - charges - value END)
      ) x (account, asset, amount)
    UNION ALL SELECT user_id, seq, account, asset, amount FROM told CROSS JOIN LATERAL (VALUES
      ('client:position', 'INR', -{_number("delivery,value")}),
      ('client:position', body #>> '{{delivery,symbol}}', {_number("delivery,quantity")}),
      ('client:holding', body #>> '{{delivery,symbol}}', -{_number("delivery,quantity")})
      ) x (account, asset, amount) WHERE kind = 'SHORT_DELIVERED'
    UNION ALL SELECT user_id, seq, account, body #>> '{{holding,symbol}}',
        amount * {_number("lots,0,quantity")}
      FROM told CROSS JOIN (VALUES ('client:position', -1), ('client:holding', 1))
        x (account, amount) WHERE kind = 'POSITION_DELIVERED'
    UNION ALL SELECT user_id, seq, account, asset, amount FROM closed CROSS JOIN LATERAL (VALUES
      ('client:position', 'INR', -cash_change - paid - penalty - tax),
      ('house:clearing', 'INR', paid), ('house:penalty', 'INR', penalty),
      ('charge:gst', 'INR', tax),
      ('client:position', symbol, shares), ('house:clearing', symbol, -shares)
      ) x (account, asset, amount))
SELECT format('user %s seq %s: posts %s %s to %s, the event says %s', user_id, seq,
  coalesce(p.amount, 0), asset, account, coalesce(s.amount, 0))
FROM (SELECT user_id, seq, account, asset, sum(amount) AS amount FROM said
  GROUP BY user_id, seq, account, asset) s
FULL JOIN (SELECT user_id, seq, account, asset, sum(amount) AS amount FROM {POSTING} t
  WHERE account <> 'client:cash' GROUP BY user_id, seq, account, asset) p
  USING (user_id, seq, account, asset)
WHERE coalesce(p.amount, 0) <> coalesce(s.amount, 0) ORDER BY user_id, seq, account, asset
""",
)

POSTING_CHECKS: Final = (_POSTINGS_BALANCE, _CASH_IS_POSTED, _EVENT_POSTINGS)
