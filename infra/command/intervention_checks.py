"""What officers set on an account, and stocks that it may only close: each time an event, and the
rows as the latest left them."""

from typing import Final

from infra.command.checks import ACCOUNT, EVENT, Check, home, rows_of

_SET = (
    "(SELECT user_id, seq, split_part(kind, '_', 2) AS kind, body::jsonb AS told"
    f" FROM {EVENT} t WHERE kind IN ('ACCOUNT_STATE_SET', 'ACCOUNT_LIMITS_SET'))"
)

_INTERVENTIONS = Check(
    "interventions",
    rows_of("intervention"),
    f"""
SELECT format('user %s seq %s: the event is %s of entry %s, the row says %s of entry %s', user_id,
  seq, e.kind, e.told ->> 'audit_id', i.kind, i.audit_id)
FROM {home("intervention")} i FULL JOIN {_SET} e USING (user_id, seq)
WHERE (e.kind, (e.told ->> 'audit_id')::bigint) IS DISTINCT FROM (i.kind, i.audit_id)
ORDER BY user_id, seq
""",
)

_ACCOUNTS = Check(
    "officers' settings",
    rows_of("account"),
    f"""
SELECT format('user %s: the account is %s with limits %s, the log says %s with %s', a.user_id,
  a.state, a.limits, s.state, l.limits)
FROM {ACCOUNT} a
LEFT JOIN (SELECT DISTINCT ON (user_id) user_id, told -> 'set' ->> 'state' AS state FROM {_SET} e
  WHERE kind = 'STATE' ORDER BY user_id, seq DESC) s USING (user_id)
LEFT JOIN (SELECT DISTINCT ON (user_id) user_id, nullif(told -> 'set', 'null') AS limits
  FROM {_SET} e WHERE kind = 'LIMITS' ORDER BY user_id, seq DESC) l USING (user_id)
WHERE (a.state, to_jsonb(a.limits)) IS DISTINCT FROM (coalesce(s.state, 'ACTIVE'), l.limits)
ORDER BY a.user_id
""",
)

_RESTRICTIONS = Check(
    "restrictions",
    rows_of("symbol_restriction"),
    f"""
SELECT format('user %s seq %s: the event is %s of alert %s in %s, the row says %s of alert %s'
  || ' in %s', user_id, seq, e.kind, e.told ->> 'alert_id', e.told ->> 'symbol', r.kind,
  r.alert_id, r.symbol)
FROM (SELECT user_id, alert_id, symbol, ends_at, s.seq, s.kind
  FROM {home("symbol_restriction")} t CROSS JOIN LATERAL (VALUES (t.seq, 'SYMBOL_RESTRICTED'),
    (t.ended_seq, 'SYMBOL_RESTRICTION_ENDED')) s (seq, kind) WHERE s.seq IS NOT NULL) r
FULL JOIN (SELECT user_id, seq, kind, body::jsonb -> 'restriction' AS told FROM {EVENT} t
  WHERE kind IN ('SYMBOL_RESTRICTED', 'SYMBOL_RESTRICTION_ENDED')) e USING (user_id, seq)
WHERE (e.kind, (e.told ->> 'alert_id')::bigint, e.told ->> 'symbol', (e.told ->> 'ends_at')::bigint)
  IS DISTINCT FROM (r.kind, r.alert_id, r.symbol, (extract(epoch FROM r.ends_at) * 1000000)::bigint)
ORDER BY user_id, seq
""",
)

INTERVENTION_CHECKS: Final = (_INTERVENTIONS, _ACCOUNTS, _RESTRICTIONS)
