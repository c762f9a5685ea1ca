"""Trades that the venue took back or corrected: each once, as it was, and by a report's word."""

from typing import Final

from infra.command.checks import BUST, EVENT, EXECUTION, Check, rows_of

# The event, its row and the trade's execution say the same; of the charges so much is given back as
# what stands of the order costs less, which the checks of orders and postings add up.
_BUSTS = Check(
    "busts",
    rows_of("trade_bust"),
    f"""
SELECT format('user %s seq %s: took back trade %s of %s; the row says %s of %s, by report %s',
  coalesce(b.user_id, e.user_id), coalesce(b.seq, e.seq), e.told ->> 'exec_id',
  e.told ->> 'trade_date', b.exec_id, b.trade_date,
  b.by_exec_id)
FROM {BUST} b FULL JOIN (SELECT user_id, seq, ref, body::jsonb -> 'bust' AS told FROM {EVENT} t
  WHERE kind = 'FILL_BUSTED') e USING (user_id, seq)
LEFT JOIN {EXECUTION} x ON x.venue = b.venue AND x.trade_date = b.trade_date
  AND x.exec_id = b.exec_id AND x.user_id = b.user_id AND x.order_id = b.order_id
  AND x.exec_type IN ('F', 'G') AND x.seq < b.seq
WHERE (e.ref, e.told ->> 'exec_id', e.told ->> 'by_exec_id', e.told ->> 'trade_date',
    e.told ->> 'settles_on', (e.told ->> 'seq')::bigint, (e.told ->> 'quantity')::bigint,
    (e.told ->> 'price')::bigint, (e.told ->> 'value')::bigint) IS DISTINCT FROM
  (b.order_id, b.exec_id, b.by_exec_id, b.trade_date::text, x.settles_on::text, x.seq, x.quantity,
    x.price, x.value)
  OR (e.told ->> 'charges')::bigint <> (SELECT sum(h::bigint)
    FROM jsonb_array_elements_text(e.told -> 'heads') h)
ORDER BY 1
""",
)

# A bust (H) is the event it became; a correction (G) is a trade itself, booked behind the bust.
_REPORTED = Check(
    "bust reports",
    rows_of("trade_bust"),
    f"""
SELECT format('user %s: trade %s of %s was taken back by report %s, which the ledger knows as %s',
  coalesce(b.user_id, x.user_id), b.exec_id, b.trade_date, coalesce(b.by_exec_id, x.exec_id),
  x.exec_type)
FROM {BUST} b FULL JOIN (SELECT * FROM {EXECUTION} t WHERE exec_type IN ('G', 'H')) x
  ON x.venue = b.venue AND x.trade_date = b.trade_date AND x.exec_id = b.by_exec_id
  AND x.user_id = b.user_id AND x.order_id = b.order_id
WHERE b.seq IS NULL OR x.seq IS NULL OR CASE x.exec_type WHEN 'G' THEN x.seq <= b.seq
  ELSE x.seq <> b.seq OR (x.quantity, x.price, x.value, x.charges) <> (0, 0, 0, 0) END
  OR x.exec_type = 'H' AND NOT EXISTS (SELECT FROM {EVENT} e WHERE e.user_id = x.user_id
    AND e.seq = x.seq AND e.body::jsonb #>> '{{bust,settles_on}}' = x.settles_on::text
    AND x.at = to_timestamp(0)
      + (e.body::jsonb #>> '{{bust,at}}')::bigint * interval '1 microsecond')
ORDER BY 1
""",
)

BUST_CHECKS: Final = (_BUSTS, _REPORTED)
