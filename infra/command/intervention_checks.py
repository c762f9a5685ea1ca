"""What officers set on an account, its user's own kill switch, and stocks that it may only close:
each time an event, and the rows as the latest left them."""

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

_KILL_SWITCHES = Check(
    "kill switches",
    rows_of("kill_switch"),
    f"""
SELECT format('user %s: the row says %s since %s at seq %s, the log says %s since %s at seq %s',
  user_id, k.is_on, k.since, k.seq, e.is_on, e.at, e.seq)
FROM {home("kill_switch")} k FULL JOIN (SELECT DISTINCT ON (user_id) user_id, seq, at,
    (body::jsonb -> 'kill_switch' ->> 'is_on')::boolean AS is_on
  FROM {EVENT} t WHERE kind IN ('KILL_SWITCH_ON', 'KILL_SWITCH_OFF')
  ORDER BY user_id, seq DESC) e USING (user_id)
WHERE (k.is_on, k.since, k.seq) IS DISTINCT FROM (e.is_on, e.at, e.seq) ORDER BY user_id
""",
)

_OPENED_AGAINST_A_SWITCH = Check(
    "orders under a kill switch",
    rows_of("ledger_event", "kind LIKE 'KILL_SWITCH_%'"),
    f"""
SELECT format('user %s seq %s: a delivery buy was %s under the kill switch', p.user_id, p.seq,
  CASE p.kind WHEN 'ORDER_PLACED' THEN 'placed' ELSE 'released' END)
FROM {EVENT} p, LATERAL (SELECT t.kind FROM ledger.ledger_event t WHERE t.user_id = p.user_id
  AND t.seq < p.seq AND t.kind IN ('KILL_SWITCH_ON', 'KILL_SWITCH_OFF')
  ORDER BY t.seq DESC LIMIT 1) k
WHERE p.kind IN ('ORDER_PLACED', 'ORDER_RELEASED') AND k.kind = 'KILL_SWITCH_ON'
  AND p.user_id IN (SELECT s.user_id FROM {home("kill_switch")} s)
  AND p.body::jsonb -> 'order' ->> 'side' = 'BUY' AND p.body::jsonb -> 'order' ->> 'product' = 'CNC'
ORDER BY p.user_id, p.seq
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

# What is on file of an alert is what its latest step says; one that was dropped is on no file.
_PRICE_ALERTS = Check(
    "price alerts",
    rows_of("price_alert"),
    f"""
SELECT format('user %s alert %s: the row is %s, the log says %s', user_id, alert_id, x.facts,
  e.told)
FROM (SELECT user_id, alert_id, to_jsonb(t) - ARRAY['user_id', 'mail_due', 'created_at', 'fired_at']
    || jsonb_build_object('created_at', (extract(epoch FROM created_at) * 1000000)::bigint,
      'fired_at', (extract(epoch FROM fired_at) * 1000000)::bigint) AS facts
  FROM {home("price_alert")} t) x
FULL JOIN (SELECT DISTINCT ON (user_id, ref) user_id, ref AS alert_id, kind,
    body::jsonb -> 'price_alert' AS told
  FROM {EVENT} t WHERE kind IN ('ALERT_SET', 'ALERT_FIRED', 'ALERT_DROPPED')
  ORDER BY user_id, ref, seq DESC) e USING (user_id, alert_id)
WHERE x.facts IS DISTINCT FROM CASE WHEN e.kind <> 'ALERT_DROPPED' THEN e.told END
ORDER BY user_id, alert_id
""",
)

INTERVENTION_CHECKS: Final = (
    _INTERVENTIONS, _ACCOUNTS, _KILL_SWITCHES, _OPENED_AGAINST_A_SWITCH, _RESTRICTIONS,
    _PRICE_ALERTS,
)  # fmt: skip
