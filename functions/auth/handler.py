"""The routes of signing in and out. Each verifies, calls one use case, and renders."""

from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Path

from functions.auth.answers import (
    LoginRequest,
    ProfileAnswer,
    RefreshRequest,
    SessionItem,
    SessionList,
    Tokens,
)
from functions.auth.issue import tokens_for
from functions.auth.log_in import log_in
from functions.shared.access.accounts import read_profile
from functions.shared.access.sessions import Sessions, region_of_refresh
from functions.shared.clock import micros, wall_now
from functions.shared.runtime import composition
from functions.shared.runtime.described import described
from functions.shared.runtime.http import PUBLIC, client_address, new_app, no_content, principal
from functions.shared.wire.events import format_time

app = new_app("auth")


@app.post(
    "/v1/auth/login",
    summary="Log in",
    tags=["Sign-in"],
    security=PUBLIC,
    responses=described(
        {200: Tokens},
        {401: ["INVALID_CREDENTIALS"], 421: ["WRONG_REGION"], 429: ["TOO_MANY_REQUESTS"]},
    ),
)
def post_login(body: LoginRequest) -> Tokens:
    """User name, password and one-time code to a session. A code counts once."""
    return log_in(
        composition.stores(),
        body.username,
        body.password,
        body.totp,
        client_address(app),
        wall_now(),
    )


@app.post(
    "/v1/auth/refresh",
    summary="Renew the tokens",
    tags=["Sign-in"],
    security=PUBLIC,
    responses=described(
        {200: Tokens}, {401: ["REFRESH_INVALID", "REFRESH_REUSED"], 421: ["WRONG_REGION"]}
    ),
)
def post_refresh(body: RefreshRequest) -> Tokens:
    """A refresh token counts once; using it again ends its session."""
    stores, now = composition.stores(), wall_now()
    region = region_of_refresh(body.refresh_token)
    if stores.regions.is_elsewhere(region):
        stores.regions.require_home(region)
    session, following = _sessions().refresh(body.refresh_token, now)
    return tokens_for(stores, session, following, now)


@app.post("/v1/auth/logout", summary="Log out", tags=["Sign-in"], status_code=204)
def post_logout() -> Response[str]:
    """Ends the session of the token that asks."""
    me = principal(app)
    _sessions().end(me.session_id, me.user_id, wall_now())
    return no_content()


@app.get("/v1/auth/sessions", summary="List my sessions", tags=["Sign-in"])
def get_sessions() -> SessionList:
    me = principal(app)
    rows = _sessions().live(me.user_id, wall_now())
    items = [
        SessionItem(
            session_id=row.session_id,
            created_at=format_time(micros(row.created_at)),
            refreshed_at=format_time(micros(row.refreshed_at)),
            expires_at=format_time(micros(row.expires_at)),
            current=row.session_id == me.session_id,
        )
        for row in rows
    ]
    return SessionList(items=items)


@app.delete(
    "/v1/auth/sessions/<session_id>",
    summary="End a session",
    tags=["Sign-in"],
    responses=described({204: None}, {404: ["NOT_FOUND"]}),
)
def delete_session(session_id: Annotated[str, Path(max_length=64)]) -> Response[str]:
    """Ends one of my sessions; another user's is not found."""
    _sessions().end(session_id, principal(app).user_id, wall_now())
    return no_content()


@app.get(
    "/v1/profile",
    summary="Who am I",
    tags=["Sign-in"],
    responses=described({200: ProfileAnswer}, {404: ["NOT_FOUND"]}),
)
def get_profile() -> ProfileAnswer:
    profile = read_profile(composition.stores().shards, principal(app).user_id)
    return ProfileAnswer(
        user_id=str(profile.user_id),
        username=profile.username,
        roles=list(profile.roles),
        mode=profile.mode,
        region=profile.region,
    )


def _sessions() -> Sessions:
    stores = composition.stores()
    return Sessions(stores.shards.control, stores.valkey)


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return app.resolve(event, context)
