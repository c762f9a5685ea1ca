"""People who apply and enrol at the functions of sign-in, against a real database, cache and bank.

A test file imports the fixtures by name, and `bank` with them.
"""

import itertools
import re
from datetime import datetime, timedelta
from typing import Any

import pyotp
import pytest

from functions.auth import account_routes, factor_routes, key_routes, verify_people
from functions.auth import handler as auth
from functions.auth.mail_resets import mail_resets
from functions.shared.clock import wall_now
from functions.shared.runtime.composition import Stores
from functions.shared.stores.bank import HttpBank
from functions.shared.stores.kyc import HttpKyc, Particulars
from tests.support.api_events import Answer, api_event, call
from tests.support.applicants import Applicant
from tests.support.bank import TOKEN, BankProcess
from tests.support.eventually import wait_until

_TOKEN_OF_MAIL = re.compile(r"^[A-Za-z0-9_-]{43}$", re.MULTILINE)


class Outbox:
    """What was mailed; the adapter itself has a suite of its own (tests/contract)."""

    def __init__(self) -> None:
        self.mails: list[tuple[str, str, str]] = []

    def send(self, to: str, subject: str, text: str) -> None:
        self.mails.append((to, subject, text))

    def subjects(self, to: str) -> list[str]:
        return [subject for address, subject, _ in self.mails if address == to]

    def token(self, to: str) -> str:
        """Of the latest mail to that address."""
        text = next(text for address, _, text in reversed(self.mails) if address == to)
        found = _TOKEN_OF_MAIL.search(text)
        assert found is not None, text
        return found[0]


class Clock:
    """The wall clock of every route, in a test's hands; each reading is a microsecond later."""

    def __init__(self) -> None:
        self.now = wall_now()
        self._count = itertools.count()

    def __call__(self) -> datetime:
        return self.now + timedelta(microseconds=next(self._count))

    def pass_by(self, time: timedelta) -> None:
        self.now += time


@pytest.fixture(autouse=True)
def clock(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(stores.verifier, "_wall", made)
    for module in (auth, account_routes, factor_routes, key_routes, verify_people):
        monkeypatch.setattr(module, "wall_now", made)
    return made


@pytest.fixture
def outbox(stores: Stores, bank: BankProcess) -> Outbox:
    made = Outbox()
    stores.__dict__["mail"] = made
    stores.__dict__["bank"] = HttpBank(bank.url, TOKEN)
    stores.__dict__["kyc"] = HttpKyc(bank.url, TOKEN)
    return made


class InTime:
    """Lambda's context, of a run with time left."""

    def get_remaining_time_in_millis(self) -> int:
        return 50_000


class Person:
    """Somebody at the API: signed in once `token` is there."""

    def __init__(self, stores: Stores, clock: Clock, outbox: Outbox, **particulars: str) -> None:
        self.who = Applicant(**particulars)
        self.stores, self.clock, self.outbox = stores, clock, outbox
        self.token: str | None = None
        self.secret = ""
        self.recovery: list[str] = []

    def send(self, method: str, path: str, body: object = None) -> Answer:
        return call(auth.lambda_handler, api_event(method, path, body, token=self.token))

    def ok(self, method: str, path: str, body: object = None) -> Any:
        answer = self.send(method, path, body)
        assert answer.status < 300, answer.body
        return answer.body

    def refused(self, method: str, path: str, body: object = None) -> str:
        answer = self.send(method, path, body)
        assert answer.status >= 400, answer.body
        return str(answer.body["code"])

    def account(self) -> Any:
        return self.ok("GET", "/v1/account")

    def code(self) -> str:
        """Of a step that is not used yet: the clock goes on to it."""
        self.clock.pass_by(timedelta(seconds=30))
        return pyotp.TOTP(self.secret).at(self.clock.now)

    def apply(self) -> None:
        self.ok("POST", "/v1/accounts", self.who.application())

    def confirm(self) -> None:
        token = self.outbox.token(self.who.mail)
        self.ok("POST", "/v1/accounts/confirmation", {"token": token})

    def ask_reset(self) -> str:
        """The token that is mailed, by what the schedule does."""
        self.ok("POST", "/v1/auth/password-reset", {"mail": self.who.mail})
        self.mail_resets()
        return self.outbox.token(self.who.mail)

    def mail_resets(self) -> int:
        return mail_resets(self.stores, InTime(), 0, self.clock())[0]

    def log_in(self, **factor: str) -> Answer:
        body = {"username": self.who.username, "password": self.who.password, **factor}
        answer = self.send("POST", "/v1/auth/login", body)
        if answer.status == 200:
            self.token = answer.body["access_token"]
        return answer

    def renew(self) -> None:
        assert self.log_in(totp=self.code()).status == 200

    def verify(self) -> None:
        """Waits until the provider has decided; then a look at the account takes its word."""
        user_id = self.account()["user_id"]
        [[number]] = self.stores.shards.control.run(
            "SELECT number FROM identity.kyc_check WHERE user_id = :u::bigint", u=user_id
        )
        # Whoever is asked about: it is the time of the first question that counts.
        anyone = Particulars(name="A B", pan="ABCPB1234F", date_of_birth="1990-04-01")
        reference = f"{user_id}-{number}"
        wait_until(lambda: self.stores.kyc.check(reference, anyone).status != "PENDING")
        self.clock.pass_by(timedelta(minutes=1))
        assert self.account()["application"]["status"] != "WAITING"

    def enrol(self) -> None:
        offered = self.ok("POST", "/v1/auth/totp")
        self.secret = offered["secret"]
        assert pyotp.parse_uri(offered["uri"]).secret == self.secret
        answer = self.ok("PUT", "/v1/auth/totp", {"totp": self.code()})
        self.recovery = answer["recovery_codes"]

    def put_bank(self) -> Any:
        body = {"number": self.who.account, "ifsc": "HDFC0000123", "totp": self.code()}
        return self.ok("PUT", "/v1/account/bank", body)


@pytest.fixture
def person(stores: Stores, clock: Clock, outbox: Outbox) -> Person:
    return Person(stores, clock, outbox)


@pytest.fixture
def trader(person: Person) -> Person:
    """All the way: applied, verified, enrolled, active."""
    person.apply()
    person.confirm()
    person.log_in()
    person.verify()
    person.enrol()
    person.put_bank()
    person.renew()
    return person
