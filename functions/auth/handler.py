"""The routes of signing in and out. Each verifies, calls one use case, and renders. The others of
the function register beside them."""

import contextlib
from datetime import datetime
from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Path

from functions.auth import (
    account_routes,
    factor_routes,
    key_routes,
    kill_switch_routes,
)
from functions.auth.answer_challenge import answer_challenge
from functions.auth.answers import (
    ChallengeRequest,
    LoginAnswer,
    LoginRequest,
    ProfileAnswer,
    RefreshRequest,
    SessionItem,
    SessionList,
    Tokens,
)
from functions.auth.api import app
from functions.auth.issue import tokens_for
from functions.auth.log_in import Credentials, log_in
from functions.auth.login_mail import mail_reuse
from functions.shared.access.accounts import read_profile
from functions.shared.access.api_keys import key_of_refresh
from functions.shared.access.devices import device_cookie, token_of_cookies
from functions.shared.access.principal import Principal, require_network
from functions.shared.access.sessions import ReusedToken, Sessions, region_of_refresh
from functions.shared.access.throttle import network_of
from functions.shared.bookkeeping.limiting import kill_switch_of
from functions.shared.clock import micros, trade_date, wall_now
from functions.shared.domain.errors import NotFound
from functions.shared.runtime import composition
from functions.shared.runtime.described import described
from functions.shared.runtime.http import (
    BEARER,
    PUBLIC,
    client_address,
    needs,
    no_content,
    principal,
    respond,
)
from functions.shared.wire.events import format_time

#: Their routes are registered by their being imported.
OTHER_ROUTES = (account_routes, factor_routes, key_routes, kill_switch_routes)


@app.post(
    "/v1/auth/login",
    summary="Log in",
    tags=["Sign-in"],
    security=PUBLIC,
    responses=described(
        {200: LoginAnswer},
        {
            401: ["INVALID_CREDENTIALS"],
            403: ["LOGIN_HELD"],
            421: ["WRONG_REGION"],
            429: ["TOO_MANY_REQUESTS"],
        },
    ),
)
def post_login(body: LoginRequest) -> Response[str]:
    """User name, password and one-time code to a session. A code counts once. A login from a new
    device, network and country at once is held: `challenge_id` and the mailed code complete it."""
    device_token = body.device_token or token_of_cookies(
        app.current_event.multi_value_headers.get("cookie") or []
    )
    given = Credentials(body.username, body.password, body.totp, device_token, body.recovery_code)
    return _logged_in(log_in(composition.stores(), given, client_address(app), wall_now()))


@app.post(
    "/v1/auth/challenge",
    summary="Complete a held login",
    tags=["Sign-in"],
    security=PUBLIC,
    responses=described(
        {200: LoginAnswer},
        {401: ["CHALLENGE_WRONG", "CHALLENGE_ENDED"], 429: ["TOO_MANY_REQUESTS"]},
    ),
)
def post_challenge(body: ChallengeRequest) -> Response[str]:
    """The mailed code of a held login to its session: five tries, ten minutes, once, and from the
    network that logged in."""
    return _logged_in(
        answer_challenge(
            composition.stores(), body.challenge_id, body.code, client_address(app), wall_now()
        )
    )


@app.post(
    "/v1/auth/refresh",
    summary="Renew the tokens",
    tags=["Sign-in"],
    security=PUBLIC,
    responses=described(
        {200: Tokens},
        {
            401: ["REFRESH_INVALID", "REFRESH_REUSED"],
            403: ["ADDRESS_NOT_ALLOWED"],
            421: ["WRONG_REGION"],
        },
    ),
)
def post_refresh(body: RefreshRequest) -> Tokens:
    """A refresh token counts once; using it again ends its session."""
    stores, now = composition.stores(), wall_now()
    region = region_of_refresh(body.refresh_token)
    if stores.regions.is_elsewhere(region):
        stores.regions.require_home(region)
    address = client_address(app)
    key = key_of_refresh(stores.shards.control, body.refresh_token)
    if key is not None:
        require_network(key.networks, address)
    network, business = network_of(address), stores.clock.business_at(now)
    try:
        session, following = _sessions().refresh(body.refresh_token, now, business, network)
    except ReusedToken as reuse:
        if reuse.first:
            mail_reuse(stores, reuse.user_id, now)
        raise
    return tokens_for(stores, session, following, now)


@app.post("/v1/auth/logout", security=BEARER, summary="Log out", tags=["Sign-in"], status_code=204)
def post_logout() -> Response[str]:
    """Ends the session of the token that asks."""
    me = principal(app)
    _end(me.session_id, me)
    return no_content()


@app.get("/v1/auth/sessions", security=needs("read"), summary="List my sessions", tags=["Sign-in"])
def get_sessions() -> SessionList:
    """Those that live, the newest first: where from, since when, and which of them asks."""
    me = principal(app)
    rows = _sessions().live(me.user_id, wall_now())
    items = [
        SessionItem(
            session_id=row.session_id,
            created_at=format_time(micros(row.created_at)),
            refreshed_at=format_time(micros(row.refreshed_at)),
            expires_at=format_time(micros(row.expires_at)),
            network=row.network,
            country=row.country,
            device_first_seen=_time(row.device_first_seen),
            current=row.session_id == me.session_id,
        )
        for row in rows
    ]
    return SessionList(items=items)


@app.delete(
    "/v1/auth/sessions/<session_id>",
    security=needs("account"),
    summary="End a session",
    tags=["Sign-in"],
    responses=described({204: None}, {404: ["NOT_FOUND"]}),
)
def delete_session(session_id: Annotated[str, Path(max_length=64)]) -> Response[str]:
    """Ends one of my sessions; another user's is not found."""
    _end(session_id, principal(app))
    return no_content()


@app.get(
    "/v1/profile",
    security=BEARER,
    summary="Who am I",
    tags=["Sign-in"],
    responses=described({200: ProfileAnswer}, {404: ["NOT_FOUND"]}),
)
def get_profile() -> ProfileAnswer:
    """Name, roles, whether orders are for real money (`LIVE`) or not (`PAPER`), and whether the
    kill switch is on."""
    stores, switched = composition.stores(), False
    profile = read_profile(stores.shards, principal(app).user_id)
    with contextlib.suppress(NotFound):  # an officer, or somebody who applies, has no account
        today = trade_date(stores.clock.now())
        switched = kill_switch_of(stores.shards, profile.user_id, today).is_on
    return ProfileAnswer(
        user_id=str(profile.user_id),
        username=profile.username,
        roles=list(profile.roles),
        mode=profile.mode,
        region=profile.region,
        kill_switch=switched,
    )


def _logged_in(answer: LoginAnswer) -> Response[str]:
    """A browser is given the device's token as a cookie, too, which no script of its can read; it
    takes it over TLS alone, which is what the gateway's own X-Forwarded-Proto says."""
    over_tls = "https" in (app.current_event.multi_value_headers.get("x-forwarded-proto") or [])
    cookie = {"Set-Cookie": device_cookie(answer.device_token)} if over_tls else {}
    return respond(answer.model_dump(), headers=cookie)


def _end(session_id: str, me: Principal) -> None:
    network = network_of(client_address(app))
    _sessions().end(session_id, me.user_id, wall_now(), by=me.session_id, network=network)


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else format_time(micros(moment))


def _sessions() -> Sessions:
    stores = composition.stores()
    return Sessions(stores.shards.control, stores.valkey)


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return app.resolve(event, context)
