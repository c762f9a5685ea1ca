"""Logging in as a user does, with a clock and a mailbox of the test's own."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pyotp

from functions.auth import handler as auth
from functions.shared.clock import wall_now
from functions.shared.domain.errors import Retryable
from functions.shared.runtime.composition import Stores
from tests.support.api_events import Answer, api_event, call

PASSWORD = "correct horse battery"
#: Addresses of different countries; the first two are of one.
INDIA, INDIA_TOO, JAPAN, AMERICA = "49.36.0.1", "49.36.0.2", "133.11.0.1", "8.8.8.8"


@dataclass
class LoginClock:
    """Moves by a step of the authenticator when told, and by a microsecond at each look. It is a
    little late, so that a token of a later step is not of the future to those who check it."""

    now: datetime = field(default_factory=lambda: wall_now() - timedelta(minutes=4))
    looks: Iterator[int] = field(default_factory=itertools.count)

    def __call__(self) -> datetime:
        return self.now + timedelta(microseconds=next(self.looks))

    def next_step(self) -> None:
        self.now += timedelta(seconds=30)


@dataclass
class Customer:
    user_id: int
    username: str
    secret: str
    clock: LoginClock

    def log_in(
        self,
        address: str = INDIA,
        device: str | None = None,
        password: str = PASSWORD,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        body: dict[str, Any] = {
            "username": self.username,
            "password": password,
            "totp": pyotp.TOTP(self.secret).at(self.clock.now),
        }
        if device is not None:
            body["device_token"] = device
        return send("POST", "/v1/auth/login", body, address=address, headers=headers)


@dataclass
class Mailbox:
    """What was sent, and whether the server takes it."""

    sent: list[str] = field(default_factory=list)
    away: bool = False

    def send(self, to: str, subject: str, text: str) -> None:
        if self.away:
            raise Retryable("the mail was not taken")
        assert to == "asha@home.example"
        self.sent.append(text)

    def code(self) -> str:
        return next(word for word in self.sent[-1].split() if len(word) == 6 and word.isdecimal())


def send(method: str, path: str, body: object = None, **options: Any) -> Answer:
    return call(auth.lambda_handler, api_event(method, path, body, **options))


def trail(stores: Stores, user: Customer) -> list[tuple[str, str | None]]:
    """The user's entries on the audit trail, with the networks they came from."""
    rows = stores.shards.control.run(
        "SELECT action, network FROM identity.audit WHERE subject = :user::bigint"
        " ORDER BY audit_id",
        user=user.user_id,
    )
    return [(action, network) for action, network in rows]
