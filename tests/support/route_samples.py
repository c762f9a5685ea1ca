"""One good call of each route of the API, for tests that put every route to a question.

A route without a sample fails tests/e2e/test_route_matrix.py by name. The calls stand in the order
in which one user can make them all: what ends something comes last.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final


@dataclass(frozen=True)
class Sample:
    """`parameters`: for each of the path's, whose thing it names, or a plain value; `shows`: what
    of the owner's the answer names. `{order}` and the like stand for the owner's things."""

    status: int = 200
    parameters: Mapping[str, str] = field(default_factory=dict)
    query: str = ""
    body: Any = None
    shows: Sequence[str] = ()
    #: Whoever calls it has no session afterwards.
    ends_the_session: bool = False


_ORDER: Final = {"symbol": "INFY", "side": "BUY", "type": "LIMIT", "quantity": 1, "price": "1400"}
_PLAN: Final = {"kind": "ICEBERG", "symbol": "INFY", "side": "BUY", "quantity": 10, "legs": 5,
                "price": "1400"}  # fmt: skip

_WATCHLIST: Final = {"watchlist_id": "{watchlist}"}
_WHY: Final = {"why": "a sample"}
_OFFICERS: Final = Sample(403, parameters={"user_id": "{user}"})
_DECISIONS: Final = Sample(403, parameters={"request_id": "1"}, body=_WHY)
_REVIEWS: Final = Sample(403, parameters={"alert_id": "1"}, body=_WHY)

SAMPLES: Final[Mapping[str, Sample]] = {
    "GET /docs": Sample(),
    "GET /health": Sample(),
    "GET /v1/openapi.json": Sample(),
    "GET /v1/search": Sample(query="q=INF"),
    "POST /v1/auth/login": Sample(
        401, body={"username": "{username}", "password": "wrong wrong", "totp": "000000"}
    ),
    "POST /v1/auth/challenge": Sample(401, body={"challenge_id": "nobodys", "code": "000000"}),
    "POST /v1/auth/refresh": Sample(401, body={"refresh_token": "IN.nobodys"}),
    "POST /v1/accounts": Sample(
        422,
        body={
            "username": "nobody",
            "password": "password1",
            "name": "No Body",
            "mail": "nobody@example.com",
            "phone": "+919812345678",
            "pan": "ABCPB1234F",
            "date_of_birth": "1990-04-01",
        },
    ),
    "POST /v1/accounts/confirmation": Sample(422, body={"token": "nobodys"}),
    "GET /v1/account": Sample(shows=("user", "username")),
    "PUT /v1/account/application": Sample(
        409, body={"name": "No Body", "pan": "ABCPB1234F", "date_of_birth": "1990-04-01"}
    ),
    # Without a second factor: a code is spent by whoever shows it.
    "PUT /v1/account/bank": Sample(403, body={"number": "50100123456789", "ifsc": "HDFC0000123"}),
    "PUT /v1/account/nominees": Sample(403, body={"nominees": []}),
    "POST /v1/account/closure": Sample(403, body={}),
    "POST /v1/auth/totp": Sample(403, body={}),
    "PUT /v1/auth/totp": Sample(409, body={"totp": "000000"}),
    "POST /v1/auth/recovery-codes": Sample(403, body={}),
    "PUT /v1/auth/password": Sample(
        403, body={"password": "wrong wrong", "new_password": "a longer one"}
    ),
    "POST /v1/auth/password-reset": Sample(400, body={"mail": "nobody"}),
    "PUT /v1/auth/password-reset": Sample(
        403, body={"token": "nobodys", "new_password": "a longer one"}
    ),
    "GET /v1/auth/keys": Sample(),
    "POST /v1/auth/keys": Sample(
        403,
        body={"name": "k", "scopes": ["trade"], "addresses": ["203.0.113.7"], "totp": "000000"},
    ),
    "DELETE /v1/auth/keys/{key_id}": Sample(404, parameters={"key_id": "key_5f9fcf9900d1b2c3"}),
    "POST /v1/auth/token": Sample(
        401, body={"key_id": "key_5f9fcf9900d1b2c3", "key_secret": "nobodys", "totp": "000000"}
    ),
    "GET /v1/market/movers": Sample(),
    "GET /v1/market/year-ranges": Sample(query="symbols=INFY"),
    "GET /v1/candles/{symbol}": Sample(parameters={"symbol": "INFY"}),
    "GET /v1/alerts": Sample(shows=("alert",)),
    "POST /v1/alerts": Sample(
        201, body={"symbol": "INFY", "kind": "PRICE_ABOVE", "threshold": "900000.00"}
    ),
    "DELETE /v1/alerts/{alert_id}": Sample(204, parameters={"alert_id": "{alert}"}),
    "GET /v1/watchlists": Sample(shows=("watchlist",)),
    "POST /v1/watchlists": Sample(201, body={"name": "Another", "symbols": ["INFY"]}),
    "GET /v1/watchlists/{watchlist_id}": Sample(parameters=_WATCHLIST, shows=("watchlist",)),
    "PATCH /v1/watchlists/{watchlist_id}": Sample(
        parameters=_WATCHLIST, body={"symbols": ["TCS"], "version": 1}
    ),
    "POST /v1/watchlists/{watchlist_id}/import": Sample(
        parameters=_WATCHLIST, body={"text": "symbol\nINFY\n", "version": 2}
    ),
    "GET /v1/watchlists/{watchlist_id}/export": Sample(parameters=_WATCHLIST),
    "GET /v1/profile": Sample(shows=("user", "username")),
    "GET /v1/auth/sessions": Sample(shows=("session",)),
    "GET /v1/market/status": Sample(),
    "GET /v1/quotes": Sample(query="symbols=INFY"),
    "GET /v1/instruments/{symbol}": Sample(parameters={"symbol": "INFY"}),
    "POST /v1/orders": Sample(202, body={**_ORDER, "client_order_id": "{client_order}-2"}),
    "POST /v1/orders/preview": Sample(body=_ORDER),
    "POST /v1/orders/baskets": Sample(
        body={"orders": [{**_ORDER, "client_order_id": "{client_order}-3"}]}
    ),
    "POST /v1/orders/baskets/preview": Sample(body={"orders": [_ORDER]}),
    "GET /v1/orders": Sample(shows=("order", "client_order")),
    "GET /v1/orders/{order_id}": Sample(
        parameters={"order_id": "{order}"}, shows=("order", "client_order")
    ),
    "PATCH /v1/orders/{order_id}": Sample(
        202,
        parameters={"order_id": "{order}"},
        body={"request_id": "change-1", "quantity": 2},
        shows=("order",),
    ),
    "POST /v1/plans": Sample(202, body={**_PLAN, "client_id": "{client_order}-4"}),
    "GET /v1/plans": Sample(shows=("plan",)),
    "GET /v1/plans/{plan_id}": Sample(parameters={"plan_id": "{plan}"}, shows=("plan",)),
    "GET /v1/funds": Sample(),
    "POST /v1/funds/deposits": Sample(202, body={"client_id": "{payment}", "amount": "10.00"}),
    "POST /v1/funds/withdrawals": Sample(
        202, body={"client_id": "{payment}-out", "amount": "10.00"}
    ),
    "GET /v1/funds/payments": Sample(shows=("payment",)),
    "GET /v1/holdings": Sample(),
    "GET /v1/positions": Sample(),
    "GET /v1/portfolio": Sample(),
    "GET /v1/risk/limits": Sample(),
    "POST /v1/risk/kill-switch": Sample(body={"on": False}),
    "GET /v1/ledger": Sample(shows=("order",)),
    "GET /v1/ledger/at": Sample(404, query="time=2001-01-01T00:00:00Z"),
    "GET /v1/statements": Sample(),
    "GET /v1/contract-notes": Sample(),
    # There is none before the day has closed; tests/integration/order_path has two users' notes.
    "GET /v1/contract-notes/{trade_date}": Sample(404, parameters={"trade_date": "2001-01-01"}),
    # Of the staff alone, and by the database's word (tests/integration/functions/test_officers.py).
    "GET /v1/admin/users": Sample(403, query="username=asha"),
    "GET /v1/admin/users/{user_id}": _OFFICERS,
    "GET /v1/admin/users/{user_id}/orders": _OFFICERS,
    "POST /v1/admin/users/{user_id}/freeze": replace(_OFFICERS, body=_WHY),
    "POST /v1/admin/users/{user_id}/unfreeze": replace(_OFFICERS, body=_WHY),
    "PUT /v1/admin/users/{user_id}/limits": replace(_OFFICERS, body=_WHY),
    "GET /v1/admin/halts": Sample(403),
    "POST /v1/admin/halts": Sample(403, body={"symbol": "INFY", "state": "HALTED", **_WHY}),
    "DELETE /v1/admin/halts": Sample(403, body={"symbol": "INFY", **_WHY}),
    "PUT /v1/admin/breaker": Sample(403, body={"phase": "HALTED", **_WHY}),
    "GET /v1/admin/requests": Sample(403),
    "POST /v1/admin/requests": Sample(
        403, body={"action": "GRANT_ROLE", "user_id": "1", "role": "support", **_WHY}
    ),
    "POST /v1/admin/requests/{request_id}/approve": _DECISIONS,
    "POST /v1/admin/requests/{request_id}/reject": _DECISIONS,
    "GET /v1/admin/audit": Sample(403),
    # Of risk officers and auditors (tests/integration/functions/test_alerts_reviewed.py).
    "GET /v1/admin/alerts": Sample(403),
    "POST /v1/admin/alerts/{alert_id}/accept": _REVIEWS,
    "POST /v1/admin/alerts/{alert_id}/dismiss": _REVIEWS,
    "DELETE /v1/watchlists/{watchlist_id}": Sample(204, parameters=_WATCHLIST),
    "DELETE /v1/plans/{plan_id}": Sample(202, parameters={"plan_id": "{plan}"}, shows=("plan",)),
    "DELETE /v1/orders/{order_id}": Sample(
        202,
        parameters={"order_id": "{order}"},
        body={"request_id": "cancel-1"},
        shows=("order",),
    ),
    "DELETE /v1/orders": Sample(202, body={"request_id": "out-1"}),
    "DELETE /v1/auth/sessions/{session_id}": Sample(204, parameters={"session_id": "{session}"}),
    "POST /v1/auth/logout": Sample(204, ends_the_session=True),
}


def filled(value: Any, things: Mapping[str, str]) -> Any:
    """The value with the things in it, wherever a text names them."""
    if isinstance(value, str):
        for name, thing in things.items():
            value = value.replace(f"{{{name}}}", thing)
        return value
    if isinstance(value, dict):
        return {key: filled(each, things) for key, each in value.items()}
    if isinstance(value, list):
        return [filled(each, things) for each in value]
    return value
