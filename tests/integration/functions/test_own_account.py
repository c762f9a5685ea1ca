"""What an owner does to their account and something cuts off: its bank account, its closing."""

from typing import Any

import pytest

from functions.auth import account_routes, accounts, close_account, prove, verify_people
from functions.ledger import handler as ledger_handler
from functions.shared.access.bank_changes import bank_changes
from functions.shared.access.call_rates import CallRates
from functions.shared.access.closings import begin_closing, end_closing
from functions.shared.access.sessions import Sessions
from functions.shared.bookkeeping.accounts import deposit
from functions.shared.clock import trade_date
from functions.shared.domain.errors import Refused, Retryable
from functions.shared.runtime.composition import Stores
from infra.local.postgres import OWNER, connect
from tests.support.account_desk import Outbox, Person, clock, outbox, person, trader
from tests.support.api_events import Answer, api_event, call
from tests.support.bank import BankProcess, bank
from tests.support.postgres import ShardsUnderTest

__all__ = ["bank", "clock", "outbox", "person", "trader"]

_OTHER = {"number": "999988887777", "ifsc": "ICIC0000001"}


class _Context:
    def get_remaining_time_in_millis(self) -> int:
        return 50_000


def away(*_: object, **__: object) -> None:
    raise Retryable("cut off")


def change_bank(who: Person) -> Answer:
    return who.send("PUT", "/v1/account/bank", {**_OTHER, "totp": who.code()})


def move(who: Person, way: str, client_id: str, amount: str = "1.00") -> Answer:
    body = {"client_id": client_id, "amount": amount}
    event = api_event("POST", f"/v1/funds/{way}", body, token=who.token)
    return call(ledger_handler.lambda_handler, event)


def told(stores: Stores, user_id: int) -> list[str]:
    """The trail of the bank account and of the states."""
    rows = stores.shards.control.run(
        "SELECT action FROM identity.audit WHERE subject = :u::bigint AND action ~"
        " '^(BANK|ACCOUNT_(FROZEN|UNFROZEN|CLOSED))' ORDER BY audit_id",
        u=user_id,
    )
    return [action for (action,) in rows]


def states(stores: Stores, user_id: int) -> tuple[str, str, int]:
    """Of the person, of the account, and how much is left to be carried out."""
    [[state, left]] = stores.shards.control.run(
        "SELECT state, (SELECT count(*) FROM identity.intervention i WHERE i.user_id = p.user_id"
        " AND done_at IS NULL) FROM identity.person p WHERE user_id = :u::bigint",
        u=user_id,
    )
    [[account]] = stores.shards.of_user(user_id).run(
        "SELECT state FROM ledger.account WHERE user_id = :u", u=user_id
    )
    return state, account, left


def freeze(databases: ShardsUnderTest, user_id: int) -> None:
    """As support does; by the owner of the tables, whatever the application may."""
    owner = connect(databases.urls(OWNER)[0])
    owner.run(
        "SELECT identity.move_person(:u, '{ACTIVE}', 'FROZEN', NULL, 'system', 'asked', NULL)",
        u=user_id,
    )
    owner.close()


@pytest.mark.parametrize("lost", ["end_bank_change", "notify"])
def test_a_change_of_bank_account_that_is_cut_off_is_told_and_finished(
    stores: Stores, trader: Person, outbox: Outbox, bank: BankProcess,
    module_databases: ShardsUnderTest, monkeypatch: pytest.MonkeyPatch, lost: str,
) -> None:  # fmt: skip
    before = trader.account()
    user_id, mails = int(before["user_id"]), len(outbox.subjects(trader.who.mail))
    with monkeypatch.context() as cut:
        cut.setattr(accounts, lost, away)
        assert change_bank(trader).status == 503
    assert told(stores, user_id) == ["BANK_CHANGE_ASKED", "BANK_CHANGED", "BANK_CHANGE_ASKED"]
    assert trader.account()["bank"] == before["bank"]
    assert change_bank(trader).body["code"] == "BANK_CHANGING"
    assert move(trader, "deposits", "in").body["status"] == "BOOKED"
    assert move(trader, "withdrawals", "out").body["code"] == "BANK_CHANGING"
    owner = connect(module_databases.urls(OWNER)[0])
    owner.run("UPDATE identity.bank_change SET claimed_until = clock_timestamp()")
    owner.close()
    verify_people.lambda_handler({}, _Context())
    assert trader.account()["bank"] == {"number": "********7777", "ifsc": "ICIC0000001"}
    assert told(stores, user_id)[-1] == "BANK_CHANGED"
    assert "Another bank account is on file" in outbox.subjects(trader.who.mail)[mails:]
    answer = move(trader, "withdrawals", "out")
    paid = bank.payments()[answer.body["payment_id"]]
    assert (answer.body["status"], paid["to"]) == ("PAID", "ICIC0000001/999988887777")


def test_an_account_that_the_bank_refuses_leaves_the_one_on_file(
    stores: Stores, trader: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = trader.account()

    def unknown(*_: str) -> None:
        raise Refused(422, "BANK_REFUSED", "no such account")

    with monkeypatch.context() as refusing:
        refusing.setattr(stores.bank, "register", unknown)
        assert change_bank(trader).body["code"] == "BANK_REFUSED"
    user_id = int(before["user_id"])
    assert trader.account()["bank"] == before["bank"]
    assert told(stores, user_id)[-2:] == ["BANK_CHANGE_ASKED", "BANK_CHANGE_REFUSED"]
    assert not bank_changes(stores.shards, user_id)
    assert change_bank(trader).status == 200


def test_what_was_admitted_before_a_freeze_changes_nothing_after_it(
    stores: Stores, trader: Person, module_databases: ShardsUnderTest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    before = trader.account()
    user_id = int(before["user_id"])
    proven = prove.require_factor

    def frozen_meanwhile(*asked: Any) -> Any:
        login = proven(*asked)
        freeze(module_databases, user_id)
        return login

    with monkeypatch.context() as racing:
        racing.setattr(account_routes, "require_factor", frozen_meanwhile)
        racing.setattr(stores.verifier, "admit", admitted(stores, trader, "account"))
        assert change_bank(trader).body["code"] == "ACCOUNT_FROZEN"
        nominees = {"nominees": [], "totp": trader.code()}
        assert trader.refused("PUT", "/v1/account/nominees", nominees) == "ACCOUNT_FROZEN"
    assert told(stores, user_id) == ["BANK_CHANGE_ASKED", "BANK_CHANGED", "ACCOUNT_FROZEN"]
    trader.renew()
    assert trader.account()["bank"] == before["bank"]


def admitted(stores: Stores, who: Person, scope: str) -> Any:
    """The gate of a request that got past it before whatever happens next."""
    assert who.token is not None
    unlimited = CallRates(None, None, None)
    principal = stores.verifier.admit(who.token, "203.0.113.7", [scope], unlimited)
    return lambda *_: principal


def test_a_deposit_under_way_does_not_land_in_a_closed_account(
    stores: Stores, trader: Person, outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    user_id = int(trader.account()["user_id"])
    late = admitted(stores, trader, "funds")
    look = close_account._require_empty
    answers: list[Answer] = []

    def watched(*asked: Any) -> None:
        look(*asked)
        if states(stores, user_id)[1] == "HALTED":
            with monkeypatch.context() as racing:
                racing.setattr(stores.verifier, "admit", late)
                answers.append(move(trader, "deposits", "late", "500.00"))

    monkeypatch.setattr(close_account, "_require_empty", watched)
    trader.ok("POST", "/v1/account/closure", {"totp": trader.code()})
    assert [answer.body["rules"][0]["code"] for answer in answers] == ["ACCOUNT_HALTED"]
    assert states(stores, user_id) == ("CLOSED", "HALTED", 0)
    assert outbox.subjects(trader.who.mail)[-1] == "Your account is closed"


def test_an_account_that_is_not_empty_after_all_is_as_before(
    stores: Stores, trader: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    user_id = int(trader.account()["user_id"])
    look = close_account._require_empty
    looks: list[object] = []

    def funded(*asked: Any) -> None:
        look(*asked)
        if not looks:
            now = stores.clock.now()
            deposit(stores.shards, user_id, "rent", 100, trade_date(now), now)
        looks.append(asked)

    with monkeypatch.context() as racing:
        racing.setattr(close_account, "_require_empty", funded)
        answer = trader.send("POST", "/v1/account/closure", {"totp": trader.code()})
    assert (answer.status, answer.body["remains"]) == (422, ["MONEY"])
    assert states(stores, user_id) == ("ACTIVE", "ACTIVE", 0)
    trader.renew()
    assert move(trader, "withdrawals", "out").body["status"] == "PAID"


def test_a_closing_whose_sessions_can_not_be_told_is_left_to_the_schedule(
    stores: Stores, trader: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    user_id = int(trader.account()["user_id"])
    with monkeypatch.context() as cut:
        cut.setattr(Sessions, "_announce_end", away)
        trader.ok("POST", "/v1/account/closure", {"totp": trader.code()})
    assert states(stores, user_id) == ("CLOSED", "HALTED", 1)


def test_a_freeze_that_is_not_the_owners_is_not_theirs_to_end(
    stores: Stores, trader: Person, module_databases: ShardsUnderTest
) -> None:
    user_id = int(trader.account()["user_id"])
    mine = begin_closing(stores.shards, user_id, "n")
    assert end_closing(stores.shards, mine, "n", close=False).moved
    freeze(module_databases, user_id)
    assert not begin_closing(stores.shards, user_id, "n").moved
    for close in (True, False):
        assert not end_closing(stores.shards, mine, "n", close=close).moved
    assert states(stores, user_id)[0] == "FROZEN"
