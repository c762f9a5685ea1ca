"""The routes of the broker's own people. Each names the role it takes, and acts through one door.

Invariant: what is decided stands in the audit trail with who, why and from where; what is
dangerous is only asked for here, and done when a second officer agrees.
"""

from http import HTTPStatus
from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Path, Query

from functions.audit import decide, order_breaker, show_user
from functions.audit.answers import (
    AdminOrderList,
    AdminUser,
    BreakerBody,
    DecisionAnswer,
    HaltBody,
    HaltList,
    LiftBody,
    LimitsBody,
    RequestAnswer,
    RequestBody,
    RequestList,
    TrailList,
    WhyBody,
    halt_item,
    request_answer,
    trail_item,
)
from functions.shared.access import interventions, requests
from functions.shared.access.audit_trail import TrailQuery, note_reading, read_trail
from functions.shared.access.requests import RequestAction, RequestState
from functions.shared.access.roles import Officer, Role, officer, require_officer
from functions.shared.access.throttle import network_of
from functions.shared.domain.errors import NotFound
from functions.shared.runtime import composition
from functions.shared.runtime.described import described
from functions.shared.runtime.fields import Instant
from functions.shared.runtime.http import client_address, needs, new_app, principal, respond

app = new_app("audit")

ADMIN = needs("admin")
_TAGS = ["Administration"]
_ID_MAX = 2**53 - 1
LIMIT_MAX = 500
Limit = Annotated[int, Query(ge=1, le=LIMIT_MAX)]
Cursor = Annotated[str | None, Query(pattern="^[0-9]{1,18}$")]
Number = Annotated[str | None, Query(pattern="^[1-9][0-9]{0,15}$")]
_READS = {403: ["ROLE_MISSING"], 404: ["NOT_FOUND"]}
_ACTS = {403: ["ROLE_MISSING", "OWN_ACCOUNT"], 404: ["NOT_FOUND"]}
_ASKS = {**_ACTS, 409: ["REQUEST_OPEN", "NOTHING_TO_DO"]}
_STAFF = (Role.SUPPORT, Role.RISK_OFFICER, Role.AUDITOR)


@app.get(
    "/v1/admin/users",
    security=ADMIN,
    summary="A user by name",
    tags=_TAGS,
    responses=described({200: AdminUser}, _READS),
)
def get_user_named(
    username: Annotated[str, Query(min_length=1, max_length=64, examples=["asha"])],
) -> Response[str]:
    """For support and risk officers: whose user name is exactly this one. That you looked is noted
    in the audit trail, whether there is such a user or not."""
    by = _officer(Role.SUPPORT, Role.RISK_OFFICER)
    return show_user.show_user_named(composition.stores(), username, by)


@app.get(
    "/v1/admin/users/<user_id>",
    security=ADMIN,
    summary="A user's account",
    tags=_TAGS,
    responses=described({200: AdminUser}, _READS),
)
def get_user(user_id: Annotated[str, Path(max_length=20)]) -> Response[str]:
    """For support and risk officers: state, sessions, funds, orders; no personal data. That you
    looked is noted in the audit trail."""
    by = _officer(Role.SUPPORT, Role.RISK_OFFICER)
    return show_user.show_user(composition.stores(), _user(user_id), by)


@app.get(
    "/v1/admin/users/<user_id>/orders",
    security=ADMIN,
    summary="A user's orders",
    tags=_TAGS,
    responses=described({200: AdminOrderList}, _READS),
)
def get_user_orders(
    user_id: Annotated[str, Path(max_length=20)], limit: Limit = 50, cursor: Cursor = None
) -> Response[str]:
    """For support and risk officers, newest first."""
    by = _officer(Role.SUPPORT, Role.RISK_OFFICER)
    return show_user.list_orders(composition.stores(), _user(user_id), limit, _number(cursor), by)


@app.post(
    "/v1/admin/users/<user_id>/freeze",
    security=ADMIN,
    summary="Freeze a user",
    tags=_TAGS,
    responses=described({200: DecisionAnswer}, {**_ACTS, 409: ["STATE_MOVED"]}),
)
def post_freeze(
    user_id: Annotated[str, Path(max_length=20)], body: Annotated[WhyBody, Body()]
) -> DecisionAnswer:
    """For support: sessions end, the user may read and cancel, and nothing else. Orders that work
    are left; each can be cancelled."""
    stores, by = composition.stores(), _officer(Role.SUPPORT)
    return decide.done(stores, interventions.freeze(stores.shards, _user(user_id), by, body.why))


@app.post(
    "/v1/admin/users/<user_id>/unfreeze",
    security=ADMIN,
    summary="Ask to unfreeze a user",
    tags=_TAGS,
    status_code=202,
    responses=described({202: RequestAnswer}, _ASKS),
)
def post_unfreeze(
    user_id: Annotated[str, Path(max_length=20)], body: Annotated[WhyBody, Body()]
) -> RequestAnswer:
    """For support: done when another of support approves the request."""
    by = _officer(Role.SUPPORT)
    stores = composition.stores()
    found = requests.ask(stores.shards, RequestAction.UNFREEZE, _user(user_id), {}, by, body.why)
    return request_answer(found)


@app.get(
    "/v1/admin/halts",
    security=ADMIN,
    summary="Halts in force",
    tags=_TAGS,
    responses=described({200: HaltList}, {403: ["ROLE_MISSING"]}),
)
def get_halts() -> HaltList:
    """The market's and those of symbols, with who set each, when and why; an account's stands with
    its user."""
    shards = composition.stores().shards
    require_officer(shards, _officer(*_STAFF))
    items = [halt_item(word) for word in interventions.halts(shards) if word.state != "ACTIVE"]
    return HaltList(items=items)


@app.post(
    "/v1/admin/halts",
    security=ADMIN,
    summary="Halt a symbol, a user or the market",
    tags=_TAGS,
    responses=described(
        {200: DecisionAnswer, 202: RequestAnswer},
        {**_ASKS, 404: ["NOT_FOUND", "UNKNOWN_SYMBOL"]},
    ),
)
def post_halt(body: Annotated[HaltBody, Body()]) -> Response[str]:
    """For risk officers: at once when it is stricter than what is in force; else 202, and done when
    another risk officer approves the request. Cancels always pass."""
    by = _officer(Role.RISK_OFFICER)
    target = decide.target_of(composition.stores(), body.symbol, body.user_id)
    return _decided(decide.halt(composition.stores(), target, body.state, by, body.why))


@app.delete(
    "/v1/admin/halts",
    security=ADMIN,
    summary="Ask to lift a halt",
    tags=_TAGS,
    responses=described({202: RequestAnswer}, {**_ASKS, 404: ["NOT_FOUND", "UNKNOWN_SYMBOL"]}),
)
def delete_halt(body: Annotated[LiftBody, Body()]) -> Response[str]:
    """For risk officers: done when another one approves the request."""
    by = _officer(Role.RISK_OFFICER)
    target = decide.target_of(composition.stores(), body.symbol, body.user_id)
    return _decided(decide.halt(composition.stores(), target, "ACTIVE", by, body.why))


@app.put(
    "/v1/admin/breaker",
    security=ADMIN,
    summary="Halt or open the whole market, as the circuit breaker does",
    tags=_TAGS,
    responses=described(
        {200: DecisionAnswer, 202: RequestAnswer},
        {403: ["ROLE_MISSING"], 409: ["REQUEST_OPEN", "NOTHING_TO_DO"]},
    ),
)
def put_breaker(body: Annotated[BreakerBody, Body()]) -> Response[str]:
    """For risk officers: over the exchange's word and the index, on this trade date. At once when
    it halts the market, or for longer; else 202, and done when another risk officer approves the
    request. The broker's own halts (`/v1/admin/halts`) stay as they are."""
    by = _officer(Role.RISK_OFFICER)
    return _decided(order_breaker.order_breaker(composition.stores(), body, by))


@app.put(
    "/v1/admin/users/<user_id>/limits",
    security=ADMIN,
    summary="Set a user's limits",
    tags=_TAGS,
    responses=described({200: DecisionAnswer, 202: RequestAnswer}, _ASKS),
)
def put_limits(
    user_id: Annotated[str, Path(max_length=20)], body: Annotated[LimitsBody, Body()]
) -> Response[str]:
    """For risk officers: below those of everybody. At once when none of them is higher than it was;
    else 202, and done when another risk officer approves the request."""
    by = _officer(Role.RISK_OFFICER)
    return _decided(
        decide.limits(composition.stores(), _user(user_id), body.limits(), by, body.why)
    )


@app.post(
    "/v1/admin/requests",
    security=ADMIN,
    summary="Ask for a change of roles, or an erasure",
    tags=_TAGS,
    status_code=202,
    responses=described(
        {202: RequestAnswer},
        {**_ACTS, 409: ["REQUEST_OPEN", "STATE_MOVED"], 422: ["ACCOUNT_NOT_EMPTY"]},
    ),
)
def post_request(body: Annotated[RequestBody, Body()]) -> RequestAnswer:
    """Roles are risk officers' to ask for, an erasure is support's: done when another of them
    approves the request; the user's sessions end."""
    stores, by = composition.stores(), _officer(requests.ROLE_OF[body.action])
    user_id = _user(body.user_id)
    detail: dict[str, object] = {}
    if body.role is None:
        decide.require_erasable(stores, user_id)
    else:
        detail = {"role": body.role.value}
    found = requests.ask(stores.shards, body.action, user_id, detail, by, body.why)
    return request_answer(found)


@app.get(
    "/v1/admin/requests",
    security=ADMIN,
    summary="Requests that need two",
    tags=_TAGS,
    responses=described({200: RequestList}, {403: ["ROLE_MISSING"]}),
)
def get_requests(
    state: Annotated[RequestState | None, Query()] = None, limit: Limit = 50, cursor: Cursor = None
) -> RequestList:
    """For every officer, newest first."""
    shards = composition.stores().shards
    require_officer(shards, _officer(*_STAFF))
    found = requests.list_requests(shards, limit, _number(cursor), state)
    following = str(found[-1].request_id) if len(found) == limit else None
    return RequestList(items=[request_answer(each) for each in found], next=following)


_DECIDES = {
    403: ["ROLE_MISSING", "OWN_ACCOUNT", "OWN_REQUEST"],
    404: ["NOT_FOUND"],
    409: ["REQUEST_DECIDED", "REQUEST_EXPIRED", "ASKER_LEFT", "STATE_MOVED", "NOTHING_TO_DO"],
    422: ["ACCOUNT_NOT_EMPTY"],
}


@app.post(
    "/v1/admin/requests/<request_id>/approve",
    security=ADMIN,
    summary="Approve a request",
    tags=_TAGS,
    responses=described({200: RequestAnswer}, _DECIDES),
)
def post_approve(
    request_id: Annotated[str, Path(max_length=20)], body: Annotated[WhyBody, Body()]
) -> RequestAnswer:
    """For another officer of the same role: it is done, once."""
    return _decide(request_id, body.why, approve=True)


@app.post(
    "/v1/admin/requests/<request_id>/reject",
    security=ADMIN,
    summary="Reject a request",
    tags=_TAGS,
    responses=described({200: RequestAnswer}, _DECIDES),
)
def post_reject(
    request_id: Annotated[str, Path(max_length=20)], body: Annotated[WhyBody, Body()]
) -> RequestAnswer:
    """For another officer of the same role: it is not done, and nobody can approve it any more."""
    return _decide(request_id, body.why, approve=False)


@app.get(
    "/v1/admin/audit",
    security=ADMIN,
    summary="The audit trail",
    tags=_TAGS,
    responses=described({200: TrailList}, {403: ["ROLE_MISSING"]}),
)
def get_trail(
    actor: Number = None,
    subject: Number = None,
    action: Annotated[str | None, Query(pattern="^[A-Z][A-Z_]{2,39}$")] = None,
    start: Annotated[Instant | None, Query(alias="from")] = None,
    until: Annotated[Instant | None, Query(alias="to")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> TrailList:
    """For auditors, newest first. That you looked is noted there too."""
    stores, by = composition.stores(), _officer(Role.AUDITOR)
    query = TrailQuery(
        limit, _number(cursor), _number(actor), _number(subject), action, start, until
    )
    asked = app.current_event.query_string_parameters or {}
    note_reading(stores.shards, by, "TRAIL_READ", None, {**asked})
    found = read_trail(stores.shards, query)
    following = str(found[-1].audit_id) if len(found) == limit else None
    return TrailList(items=[trail_item(each) for each in found], next=following)


def _decide(request_id: str, why: str, *, approve: bool) -> RequestAnswer:
    """Both officers hold the role that the request says."""
    stores = composition.stores()
    number = _path_number(request_id, "there is no such request")
    require_officer(stores.shards, _officer(*_STAFF))  # nobody else learns that there is one
    asked = requests.find_request(stores.shards, number)
    by = _officer(Role(asked.role))
    if approve and asked.action is RequestAction.ERASE and asked.user_id is not None:
        decide.require_erasable(stores, asked.user_id)
    found, audit_id = requests.decide(stores.shards, number, by, why, approve=approve)
    applied = None if audit_id is None else decide.done(stores, audit_id).applied
    return request_answer(found, audit_id, applied)


def _decided(answer: DecisionAnswer | RequestAnswer) -> Response[str]:
    status = HTTPStatus.OK if isinstance(answer, DecisionAnswer) else HTTPStatus.ACCEPTED
    return respond(answer.model_dump(mode="json"), status)


def _officer(*roles: Role) -> Officer:
    return officer(principal(app), network_of(client_address(app)), *roles)


def _user(text: str) -> int:
    return _path_number(text, "there is no such user")


def _path_number(text: str, missing: str) -> int:
    """Raises NotFound for what is no number of ours."""
    if not (text.isascii() and text.isdecimal() and 0 < int(text) <= _ID_MAX):
        raise NotFound(missing)
    return int(text)


def _number(text: str | None) -> int | None:
    return None if text is None else int(text)


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return app.resolve(event, context)
