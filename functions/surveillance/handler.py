"""The reviewers' queue: alerts of the fraud watch, read, accepted, dismissed.

Invariant: an alert is decided once, by a risk officer whom it is not about, with a reason, in one
transaction with its entry in the audit trail; that somebody looked is an entry, too.
"""

from enum import StrEnum
from typing import Annotated, Any

from aws_lambda_powertools.event_handler.openapi.params import Body, Path, Query

from functions.shared.access.audit_trail import note_reading
from functions.shared.access.roles import Officer, Role, officer, require
from functions.shared.access.throttle import network_of
from functions.shared.domain.errors import InvariantViolated, NotFound, Retryable
from functions.shared.runtime import composition
from functions.shared.runtime.described import described
from functions.shared.runtime.http import client_address, needs, new_app, principal
from functions.shared.runtime.logs import logger
from functions.shared.stores.surveillance import Alert, Surveillance
from functions.surveillance.answers import AlertAnswer, AlertList, DecideBody, alert_answer
from functions.surveillance.carry_out import carry_out

app = new_app("surveillance")

ADMIN = needs("admin")
_TAGS = ["Administration"]
_ID_MAX = 2**53 - 1
_DECIDES = {403: ["ROLE_MISSING", "OWN_ACCOUNT"], 404: ["NOT_FOUND"], 409: ["ALERT_DECIDED"]}


class AlertState(StrEnum):
    OPEN = "OPEN"
    ACCEPTED = "ACCEPTED"
    DISMISSED = "DISMISSED"


@app.get(
    "/v1/admin/alerts",
    security=ADMIN,
    summary="Alerts of the fraud watch",
    tags=_TAGS,
    responses=described({200: AlertList}, {403: ["ROLE_MISSING"]}),
)
def get_alerts(
    state: Annotated[AlertState | None, Query()] = None,
    score: Annotated[int, Query(ge=0, le=100, description="This one and higher ones")] = 0,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    cursor: Annotated[str | None, Query(pattern="^[0-9]{1,3}-[0-9]{1,18}$")] = None,
) -> AlertList:
    """For risk officers and auditors, the highest score first. That you looked is noted in the
    audit trail."""
    stores = composition.stores()
    by = _officer(Role.RISK_OFFICER, Role.AUDITOR)
    note_reading(stores.shards, by, "USER_READ", None, {"of": "alerts"})
    before = None if cursor is None else _place(cursor)
    store = Surveillance(stores.shards.control)
    found = store.alerts(limit, state and state.value, score, before)
    following = f"{found[-1].score}-{found[-1].alert_id}" if len(found) == limit else None
    return AlertList(items=[alert_answer(each) for each in found], next=following)


@app.post(
    "/v1/admin/alerts/<alert_id>/accept",
    security=ADMIN,
    summary="Accept an alert",
    tags=_TAGS,
    responses=described({200: AlertAnswer}, _DECIDES),
)
def post_accept(
    alert_id: Annotated[str, Path(max_length=20)], body: Annotated[DecideBody, Body()]
) -> AlertAnswer:
    """For risk officers: it is followed up. What it restricts stays restricted for its day."""
    return _decide(alert_id, AlertState.ACCEPTED, body.why)


@app.post(
    "/v1/admin/alerts/<alert_id>/dismiss",
    security=ADMIN,
    summary="Dismiss an alert",
    tags=_TAGS,
    responses=described({200: AlertAnswer}, _DECIDES),
)
def post_dismiss(
    alert_id: Annotated[str, Path(max_length=20)], body: Annotated[DecideBody, Body()]
) -> AlertAnswer:
    """For risk officers: it was none. What it restricted is free again."""
    return _decide(alert_id, AlertState.DISMISSED, body.why)


def _decide(alert_id: str, state: AlertState, why: str) -> AlertAnswer:
    stores, by = composition.stores(), _officer(Role.RISK_OFFICER)
    if not (alert_id.isascii() and alert_id.isdecimal() and 0 < int(alert_id) <= _ID_MAX):
        raise NotFound("there is no such alert")
    store, number = Surveillance(stores.shards.control), int(alert_id)
    outcome, audit_id = store.decide(number, state.value, by.user_id, why, by.network)
    require(outcome, by.role)
    alert = _alert(store, number)
    if alert.measure is not None and not alert.done:
        try:
            carry_out(stores, alert)
            alert = _alert(store, number)
        except (Retryable, NotFound, InvariantViolated) as error:
            logger().warning("left to the schedule", alert=alert_id, why=str(error))
    return alert_answer(alert, audit_id)


def _alert(store: Surveillance, number: int) -> Alert:
    found = store.alert(number)
    if found is None:
        raise InvariantViolated(f"alert {number} was decided and is not there")
    return found


def _officer(*roles: Role) -> Officer:
    return officer(principal(app), network_of(client_address(app)), *roles)


def _place(cursor: str) -> tuple[int, int]:
    score, _, number = cursor.partition("-")
    return int(score), int(number)


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return app.resolve(event, context)
