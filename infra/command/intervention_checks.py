"""What officers set on an account: each time an event, and the account as the latest left it."""

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

INTERVENTION_CHECKS: Final = (_INTERVENTIONS, _ACCOUNTS)
