"""The routes of what proves a person: authenticator, recovery codes, password, reset by mail."""

from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body

from functions.auth import change_factors
from functions.auth.account_answers import (
    AcceptedAnswer,
    CodeRequest,
    EnrolRequest,
    FactorRequest,
    OfferedTotp,
    PasswordRequest,
    RecoveryCodes,
    ResetAskedRequest,
    ResetRequest,
)
from functions.auth.api import app
from functions.auth.reset_password import ask_reset, reset
from functions.shared.access.throttle import network_of
from functions.shared.clock import wall_now
from functions.shared.runtime import composition
from functions.shared.runtime.described import described
from functions.shared.runtime.http import PUBLIC, client_address, needs, no_content, principal

_PROVEN = {403: ["SCOPE_MISSING", "FACTOR_REFUSED"], 429: ["TOO_MANY_REQUESTS"]}
_TAGS = ["Sign-in"]


@app.post(
    "/v1/auth/totp",
    security=needs("account"),
    summary="Set up an authenticator",
    tags=_TAGS,
    responses=described({200: OfferedTotp}, _PROVEN),
)
def post_totp(body: Annotated[EnrolRequest | None, Body()] = None) -> OfferedTotp:
    """A secret, shown once, which counts when `PUT` is sent a code of it within 15 minutes. Another
    authenticator than the first asks for a code of the old one, or a recovery code."""
    me = principal(app)
    return change_factors.offer(
        composition.stores(), me.user_id, body or EnrolRequest(), _network(), wall_now()
    )


@app.put(
    "/v1/auth/totp",
    security=needs("account"),
    summary="Confirm an authenticator",
    tags=_TAGS,
    responses=described({200: RecoveryCodes}, {**_PROVEN, 409: ["TOTP_NOT_OFFERED"]}),
)
def put_totp(body: CodeRequest) -> RecoveryCodes:
    """From now on it counts, and no earlier one; other sessions end. The recovery codes are new,
    and shown once."""
    me, stores = principal(app), composition.stores()
    return change_factors.confirm(stores, me, body.totp, _network(), wall_now())


@app.post(
    "/v1/auth/recovery-codes",
    security=needs("account"),
    summary="Make new recovery codes",
    tags=_TAGS,
    responses=described({200: RecoveryCodes}, {**_PROVEN, 409: ["TOTP_NOT_ENROLLED"]}),
)
def post_recovery_codes(body: FactorRequest) -> RecoveryCodes:
    """Ten, shown once; earlier ones are void."""
    me, stores = principal(app), composition.stores()
    return change_factors.new_codes(stores, me.user_id, body, _network(), wall_now())


@app.put(
    "/v1/auth/password",
    security=needs("account"),
    summary="Change my password",
    tags=_TAGS,
    responses=described(
        {204: None}, {**_PROVEN, 409: ["TOTP_NOT_ENROLLED"], 422: ["PASSWORD_TOO_WEAK"]}
    ),
)
def put_password(body: PasswordRequest) -> Response[str]:
    """By the old one and the second factor; other sessions end."""
    me, stores = principal(app), composition.stores()
    change_factors.change_password(stores, me, body, _network(), wall_now())
    return no_content()


@app.post(
    "/v1/auth/password-reset",
    security=PUBLIC,
    summary="Ask for a password reset",
    tags=_TAGS,
    status_code=202,
    responses=described({202: AcceptedAnswer}, {429: ["TOO_MANY_REQUESTS"]}),
)
def post_password_reset(body: ResetAskedRequest) -> AcceptedAnswer:
    """The same answer whether the address is known or not; a known one is mailed a token, within a
    minute or two."""
    ask_reset(composition.stores(), body.mail, _network(), wall_now())
    return AcceptedAnswer()


@app.put(
    "/v1/auth/password-reset",
    security=PUBLIC,
    summary="Reset a password",
    tags=_TAGS,
    responses=described(
        {204: None},
        {403: ["RESET_REFUSED"], 422: ["PASSWORD_TOO_WEAK"], 429: ["TOO_MANY_REQUESTS"]},
    ),
)
def put_password_reset(body: ResetRequest) -> Response[str]:
    """By the mailed token, once, and the second factor all the same; every session ends."""
    reset(composition.stores(), body, _network(), wall_now())
    return no_content()


def _network() -> str:
    return network_of(client_address(app))
