"""Deposits and withdrawals as a client meets them, whatever the bank does, and their job."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from functions.ledger import pay
from functions.shared.domain.errors import InvariantViolated, Retryable
from functions.shared.domain.payments import ATTEMPTS_MOST
from functions.shared.runtime.composition import Stores
from functions.shared.stores.bank import SILENCES_MOST
from functions.shared.wire.payments import PaymentFacts
from infra.bank.behaviour import AMOUNTS
from tests.integration.order_path.conftest import Client, OrderStores
from tests.support.api_events import Answer
from tests.support.bank import BankProcess
from tests.support.eventually import wait_until


class Patient:
    """A context with all the time in the world."""

    def get_remaining_time_in_millis(self) -> int:
        return 60_000


def run_job(stores: OrderStores, minutes: int = 1) -> dict[str, int]:
    stores.clock.at += timedelta(minutes=minutes)
    return pay.lambda_handler({}, Patient())


@pytest.fixture(autouse=True)
def well_behaved(bank: BankProcess, stores: OrderStores) -> Iterator[None]:
    """Each test begins with a bank that answers and nothing under way."""
    bank.behave("normal")
    stores.clock.at += timedelta(days=1)
    pay.lambda_handler({}, Patient())
    yield
    bank.behave("normal")


def deposit(client: Client, amount: str = "250.50", client_id: str = "p") -> Answer:
    return client.ask("POST", "/v1/funds/deposits", {"client_id": client_id, "amount": amount})


def withdraw(client: Client, amount: str = "250.50", client_id: str = "p") -> Answer:
    return client.ask("POST", "/v1/funds/withdrawals", {"client_id": client_id, "amount": amount})


def cash(client: Client) -> str:
    return str(client.ask("GET", "/v1/funds").body["cash"])


def kinds(client: Client) -> list[str]:
    return [row["kind"] for row in client.ask("GET", "/v1/ledger?limit=500").body["items"]]


def first_payment(client: Client) -> Any:
    return client.ask("GET", "/v1/funds/payments?limit=1").body["items"][0]


def test_a_withdrawal_is_paid_once_however_often_it_is_sent(
    client: Client, bank: BankProcess
) -> None:
    first, again = withdraw(client), withdraw(client, "250.5")
    assert (first.status, again.status) == (202, 202)
    assert first.body["status"] == again.body["status"] == "PAID"
    assert first.body["funds"]["cash"] == cash(client) == "99749.50"
    assert bank.payments()[first.body["payment_id"]]["amount"] == 250_50
    other = withdraw(client, "1.00")
    assert (other.status, other.body["code"]) == (409, "ID_REUSED")


def test_more_than_may_leave_is_refused_with_the_numbers(client: Client) -> None:
    answer = withdraw(client, "100000.01")
    assert (answer.status, answer.body["code"]) == (422, "PAYMENT_REFUSED")
    (rule,) = answer.body["rules"]
    assert (rule["code"], rule["value"], rule["limit"], rule["nearest"]) == (
        "INSUFFICIENT_WITHDRAWABLE", "100000.01", "100000.00", "100000.00",
    )  # fmt: skip
    assert withdraw(client, "100000.01").body["rules"] == [rule]
    assert kinds(client)[-1] == "WITHDRAWAL_REFUSED"
    listed = first_payment(client)
    assert (listed["status"], listed["reason"]) == ("REFUSED", rule["message"])
    assert withdraw(client, "100000.00", "q").body["status"] == "PAID"


def test_what_the_bank_refuses_is_a_422_and_nothing_is_gone(client: Client) -> None:
    for ask in (deposit, withdraw):
        for _ in range(2):
            answer = ask(client, "13.01")
            assert (answer.status, answer.body["code"]) == (422, "BANK_REFUSED")
    assert cash(client) == "100000.00"
    assert kinds(client)[-2:] == ["WITHDRAWAL_REQUESTED", "WITHDRAWAL_RETURNED"]


@pytest.mark.parametrize("amount", [13_02, 13_03], ids=lambda amount: AMOUNTS[amount])
def test_an_outcome_nobody_knows_is_learned_by_the_same_reference(
    client: Client, bank: BankProcess, stores: OrderStores, amount: int
) -> None:
    text = f"{amount // 100}.{amount % 100:02d}"
    sent = [deposit(client, text), withdraw(client, text)]
    assert [answer.body["status"] for answer in sent] == ["PENDING", "PENDING"]
    assert cash(client) == f"{100_000 - amount / 100:.2f}"
    assert run_job(stores) == {"asked": 2}
    assert run_job(stores) == {"asked": 0}
    assert [deposit(client, text).body["status"], withdraw(client, text).body["status"]] == [
        "BOOKED",
        "PAID",
    ]
    assert cash(client) == "100000.00"
    known = bank.payments()
    assert all(answer.body["payment_id"] in known for answer in sent)


def test_an_answer_given_twice_is_booked_once(client: Client) -> None:
    assert deposit(client, "13.04").body["status"] == "BOOKED"
    assert deposit(client, "20.00", "q").body["status"] == "BOOKED"
    assert cash(client) == "100033.04"


@pytest.mark.parametrize(
    ("amount", "ends", "left"), [("13.06", "PAID", "99986.94"), ("13.07", "RETURNED", "100000.00")]
)
def test_a_payout_the_bank_decides_later_ends_by_the_job(
    client: Client, bank: BankProcess, stores: OrderStores, amount: str, ends: str, left: str
) -> None:
    bank.behave("normal", seconds=0.2)
    answer = withdraw(client, amount).body
    assert answer["status"] == "PENDING"
    wait_until(lambda: bank.payments()[answer["payment_id"]]["status"] != "PENDING")
    run_job(stores)
    assert first_payment(client)["status"] == ends
    assert cash(client) == left


def test_a_client_that_asks_again_does_not_hammer_the_bank(
    client: Client, bank: BankProcess, stores: OrderStores
) -> None:
    bank.behave("away")
    payment_id = withdraw(client).body["payment_id"]
    bank.behave("normal")
    for _ in range(3):
        assert withdraw(client).body["status"] == "PENDING"
    assert payment_id not in bank.payments()
    stores.clock.at += timedelta(minutes=1)
    assert withdraw(client).body["status"] == "PAID"


def test_a_bank_that_is_away_for_hours_leaves_payments_to_a_person_and_loses_none(
    client: Client, bank: BankProcess, stores: OrderStores
) -> None:
    bank.behave("away")
    deposit(client)
    withdraw(client)
    for _ in range(ATTEMPTS_MOST):
        run_job(stores, 61)
    assert run_job(stores, 10_000) == {"asked": 0}
    bank.behave("normal")
    items = client.ask("GET", "/v1/funds/payments").body["items"][:2]
    assert [item["status"] for item in items] == ["PENDING", "PENDING"]
    assert cash(client) == "99749.50"


def test_a_silent_bank_holds_up_neither_clients_nor_the_job(
    client: Client, bank: BankProcess, stores: OrderStores, monkeypatch: pytest.MonkeyPatch
) -> None:
    bank.behave("away")
    for number in range(8):
        deposit(client, "1.00", f"p{number}")
    monkeypatch.setattr(stores, "bank", bank.client(rest_seconds=60))
    assert run_job(stores) == {"asked": SILENCES_MOST}
    bank.behave("normal")
    answer = deposit(client, "1.00", "p8")
    assert (answer.status, answer.body["status"]) == (202, "PENDING")
    monkeypatch.setattr(stores, "bank", bank.client())
    assert run_job(stores, 3) == {"asked": 9}
    assert cash(client) == "100009.00"


def test_a_busy_account_puts_off_its_own_payments_alone(
    client: Client, bank: BankProcess, stores: OrderStores, monkeypatch: pytest.MonkeyPatch
) -> None:
    bank.behave("away")
    deposit(client, "1.00", "busy")
    deposit(client, "1.00", "free")
    bank.behave("normal")
    ask_bank = pay.ask_bank

    def ask(stores: Stores, user_id: int, payment: PaymentFacts) -> PaymentFacts:
        if payment.client_id == "busy":
            raise Retryable("the account is locked")
        return ask_bank(stores, user_id, payment)

    monkeypatch.setattr(pay, "ask_bank", ask)
    assert run_job(stores) == {"asked": 1}
    monkeypatch.setattr(pay, "ask_bank", ask_bank)
    assert run_job(stores) == {"asked": 1}
    assert cash(client) == "100002.00"


def test_a_bank_that_takes_its_word_back_holds_up_no_other_payment(
    client: Client, bank: BankProcess, stores: OrderStores, monkeypatch: pytest.MonkeyPatch
) -> None:
    bank.behave("away")
    deposit(client, "1.00", "twisted")
    deposit(client, "1.00", "straight")
    bank.behave("normal")
    ask_bank = pay.ask_bank

    def ask(stores: Stores, user_id: int, payment: PaymentFacts) -> PaymentFacts:
        if payment.client_id == "twisted":
            raise InvariantViolated("payment 1 is COLLECTED and can't be REFUSED")
        return ask_bank(stores, user_id, payment)

    monkeypatch.setattr(pay, "ask_bank", ask)
    with pytest.raises(InvariantViolated, match="1 payments"):
        run_job(stores)
    assert cash(client) == "100001.00"


def test_payments_are_listed_newest_first_by_page(client: Client) -> None:
    for number in range(3):
        deposit(client, "1.00", f"p{number}")
    names: list[str] = []
    cursor = ""
    while True:
        page = client.ask("GET", f"/v1/funds/payments?limit=2{cursor}").body
        names += [item["client_id"] for item in page["items"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert names == ["p2", "p1", "p0", "start"]


def test_nobody_sees_anothers_payments(client: Client, stranger: Client) -> None:
    deposit(client)
    assert stranger.ask("GET", "/v1/funds/payments").body["items"] == []


@pytest.mark.parametrize(
    "body",
    [{}, {"client_id": "a"}, {"client_id": "a", "amount": "0"}, {"client_id": "a", "amount": "-1"},
     {"client_id": "a", "amount": "0.001"}, {"client_id": "a", "amount": "1e3"},
     {"client_id": "a b", "amount": "1.00"}, {"client_id": "a", "amount": "1.00", "to": "b"}],
)  # fmt: skip
def test_a_malformed_withdrawal_is_refused(client: Client, body: object) -> None:
    assert client.ask("POST", "/v1/funds/withdrawals", body).status == 400
    assert cash(client) == "100000.00"


def test_a_live_account_pays_no_paper_money_out(client: Client) -> None:
    client.token = f"live-{client.user_id}"
    answer = withdraw(client)
    assert (answer.status, answer.body["code"]) == (403, "FORBIDDEN")
