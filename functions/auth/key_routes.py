"""The routes of API keys: making, listing and deleting them, and a program's session."""

from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Path

from functions.auth.answers import Tokens
from functions.auth.api import app
from functions.auth.key_answers import (
    KeyAnswer,
    KeyList,
    KeyRequest,
    NewKeyAnswer,
    TokenRequest,
)
from functions.auth.notices import KEY_ENDED, KEY_MADE, notify
from functions.auth.open_program_session import open_program_session
from functions.auth.prove import require_factor
from functions.shared.access import api_keys
from functions.shared.access.throttle import network_of
from functions.shared.clock import micros, trade_date, wall_now
from functions.shared.runtime import composition
from functions.shared.runtime.described import described
from functions.shared.runtime.http import PUBLIC, client_address, needs, no_content, principal
from functions.shared.wire.events import format_time

_TAGS = ["Programs"]


@app.post(
    "/v1/auth/keys",
    security=needs("account"),
    summary="Make an API key",
    tags=_TAGS,
    status_code=201,
    responses=described(
        {201: NewKeyAnswer},
        {
            403: ["FACTOR_REFUSED"],
            409: ["TOO_MANY_KEYS", "ALGO_NOT_REGISTERED", "TOTP_NOT_ENROLLED"],
            429: ["TOO_MANY_REQUESTS"],
        },
    ),
)
def post_key(body: KeyRequest) -> NewKeyAnswer:
    """For a program of yours, at most five at a time. Asks for a one-time code, and is mailed. The
    secret is shown once; neither opens anything without a code of the moment: `POST
    /v1/auth/token`. `funds` moves money in, and out to the bank account on file alone."""
    stores, me, now = composition.stores(), principal(app), wall_now()
    network = network_of(client_address(app))
    require_factor(stores, me.user_id, body, network, now)
    if body.algo_id is not None:
        today = trade_date(stores.clock.now())
        api_keys.require_registered(stores.shards, me.user_id, body.algo_id, today)
    made, secret = api_keys.make_key(
        stores.shards.control,
        me.user_id,
        name=body.name,
        scopes=body.scopes,
        networks=body.addresses,
        algo_id=body.algo_id,
        network=network,
        now=now,
    )
    subject, text = KEY_MADE
    notify(stores, me.user_id, (subject, text.format(scopes=", ".join(made.scopes))))
    return NewKeyAnswer(**_shown(made).model_dump(), key_secret=secret)


@app.get("/v1/auth/keys", security=needs("account"), summary="List my API keys", tags=_TAGS)
def get_keys() -> KeyList:
    """Those that count, the newest first; no secret is among it."""
    found = api_keys.live_keys(composition.stores().shards.control, principal(app).user_id)
    return KeyList(items=[_shown(key) for key in found])


@app.delete(
    "/v1/auth/keys/<key_id>",
    security=needs("account"),
    summary="Delete an API key",
    tags=_TAGS,
    responses=described({204: None}, {404: ["NOT_FOUND"]}),
)
def delete_key(key_id: Annotated[str, Path(max_length=64)]) -> Response[str]:
    """Its sessions end at once. Orders that work go on working."""
    stores, me = composition.stores(), principal(app)
    network = network_of(client_address(app))
    live = {key.key_id for key in api_keys.live_keys(stores.shards.control, me.user_id)}
    api_keys.end_key(stores.shards.control, stores.valkey, me.user_id, key_id, network, wall_now())
    if key_id in live:  # deleting it again only makes it known again
        notify(stores, me.user_id, KEY_ENDED)
    return no_content()


@app.post(
    "/v1/auth/token",
    security=PUBLIC,
    summary="Open a program's session",
    tags=_TAGS,
    responses=described(
        {200: Tokens},
        {401: ["INVALID_CREDENTIALS"], 403: ["ADDRESS_NOT_ALLOWED"], 429: ["TOO_MANY_REQUESTS"]},
    ),
)
def post_token(body: TokenRequest) -> Tokens:
    """An API key and its owner's one-time code to a session that ends with the day. Tokens are
    renewed as a person's are, and count from the key's addresses alone."""
    return open_program_session(
        composition.stores(), body.key_id, body.key_secret, body.totp, client_address(app),
        wall_now(),
    )  # fmt: skip


def _shown(key: api_keys.ApiKey) -> KeyAnswer:
    return KeyAnswer(
        key_id=key.key_id,
        name=key.name,
        scopes=list(key.scopes),  # type: ignore[arg-type]
        addresses=list(key.networks),
        algo_id=key.order_algo,
        created_at=format_time(micros(key.created_at)),
    )
