"""What a bank does, held against the simulated one over HTTP: once, whatever the network does."""

import itertools
import socket
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from functions.shared.domain.errors import PeerProtocolError, Retryable
from functions.shared.settings import SettingsError
from functions.shared.stores import bank as bank_adapter
from functions.shared.stores.bank import SILENCES_MOST, BankAnswer, HttpBank, open_bank
from infra.bank.behaviour import AMOUNTS
from tests.support.bank import BankProcess, bank
from tests.support.eventually import wait_until

__all__ = ["bank"]

ANOTHER_PAYMENT = (
    b'{"reference":"X","direction":"IN","account":"7","amount":500,"status":"DONE","reason":""}'
)
_numbers = itertools.count(1)


@pytest.fixture
def reference() -> str:
    return f"R-{next(_numbers)}"


@pytest.fixture(autouse=True)
def well_behaved(bank: BankProcess) -> None:
    bank.behave("normal")


def done(reference: str, direction: str = "IN", amount: int = 500) -> BankAnswer:
    return BankAnswer(
        reference=reference, direction=direction, account="7", amount=amount, status="DONE"
    )


def test_money_is_collected_and_paid(bank: BankProcess) -> None:
    client = bank.client()
    assert client.collect("in-1", "7", 500) == done("in-1")
    assert client.pay("out-1", "7", 500) == done("out-1", "OUT")


def test_a_reference_moves_money_once(bank: BankProcess, reference: str) -> None:
    client = bank.client()
    assert client.collect(reference, "7", 500) == client.collect(reference, "7", 500)
    rows = [row for key, row in bank.payments().items() if key == reference]
    assert [row["amount"] for row in rows] == [500]


@pytest.mark.parametrize("other", [("IN", "7", 501), ("IN", "8", 500), ("OUT", "7", 500)])
def test_a_reference_never_means_another_payment(
    bank: BankProcess, reference: str, other: tuple[str, str, int]
) -> None:
    client = bank.client()
    client.collect(reference, "7", 500)
    ask = client.collect if other[0] == "IN" else client.pay
    with pytest.raises(PeerProtocolError):
        ask(reference, *other[1:])
    assert client.collect(reference, "7", 500) == done(reference)


def test_a_refusal_stays_one(bank: BankProcess, reference: str) -> None:
    bank.behave("refuse", times=1)
    for _ in range(2):
        answer = bank.client().pay(reference, "7", 500)
        assert (answer.status, answer.reason) == ("REFUSED", "ACCOUNT_REFUSED")


@pytest.mark.parametrize(("behaviour", "known"), [("silent", True), ("lost", False)])
def test_without_an_answer_nobody_knows_and_asking_again_tells(
    bank: BankProcess, reference: str, behaviour: str, known: bool
) -> None:
    bank.behave(behaviour, times=1)
    with pytest.raises(Retryable):
        bank.client(0.2).pay(reference, "7", 500)
    if known:  # and done as soon as the bank comes to it
        wait_until(lambda: reference in bank.payments())
    else:
        assert reference not in bank.payments()
    assert bank.client().pay(reference, "7", 500) == done(reference, "OUT")


def test_an_answer_that_comes_too_late_is_none(bank: BankProcess, reference: str) -> None:
    bank.behave("slow", times=1, seconds=30)
    with pytest.raises(Retryable):
        bank.client(0.1).collect(reference, "7", 500)
    assert bank.client().collect(reference, "7", 500) == done(reference)


def test_a_second_answer_reaches_no_other_question(bank: BankProcess, reference: str) -> None:
    client = bank.client()
    bank.behave("twice", times=1)
    assert client.collect(reference, "7", 500) == done(reference)
    assert client.collect(f"{reference}-b", "7", 600) == done(f"{reference}-b", amount=600)


@pytest.mark.parametrize(("behaviour", "end"), [("later", "DONE"), ("later-refuse", "REFUSED")])
def test_a_payment_may_be_decided_later(
    bank: BankProcess, reference: str, behaviour: str, end: str
) -> None:
    bank.behave(behaviour, times=1, seconds=2)
    answer = bank.client().pay(reference, "7", 500)
    assert (answer.status, answer.reason) == ("PENDING", "")
    wait_until(lambda: bank.client().pay(reference, "7", 500).status == end)


def test_a_bank_that_is_away_is_retryable(bank: BankProcess, reference: str) -> None:
    bank.behave("away")
    with pytest.raises(Retryable):
        bank.client().pay(reference, "7", 500)
    assert reference not in bank.payments()
    with pytest.raises(Retryable):
        HttpBank("http://127.0.0.1:9", "token").pay(reference, "7", 500)


class SetClock:
    """In the place of `time`: it stands still until a test moves it."""

    now = 0.0

    def monotonic(self) -> float:
        return self.now


def test_a_bank_that_stays_silent_is_left_alone_for_a_while(
    bank: BankProcess, reference: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bank_adapter, "time", clock := SetClock())
    client = bank.client(rest_seconds=10)
    bank.behave("away", times=SILENCES_MOST)
    for _ in range(SILENCES_MOST):
        assert not client.rests
        with pytest.raises(Retryable):
            client.pay(reference, "7", 500)
    assert client.rests
    clock.now += 10
    assert not client.rests
    assert client.pay(reference, "7", 500) == done(reference, "OUT")
    bank.behave("away", times=1)
    with pytest.raises(Retryable):
        client.pay(reference, "7", 500)
    assert not client.rests


def test_a_wrong_token_moves_nothing(bank: BankProcess, reference: str) -> None:
    with pytest.raises(PeerProtocolError):
        HttpBank(bank.url, "wrong").pay(reference, "7", 500)
    assert reference not in bank.payments()


def test_many_at_once_are_done_once_each(bank: BankProcess, reference: str) -> None:
    answers: list[BankAnswer] = []
    threads = [
        threading.Thread(target=lambda: answers.append(bank.client().pay(reference, "7", 500)))
        for _ in range(16)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [done(reference, "OUT")] * 16


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnull",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\n\r\n" + ANOTHER_PAYMENT,
        b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1/\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 100_000,
    ],
)
def test_an_answer_that_makes_no_sense_is_never_taken_for_done(answer: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        client = HttpBank(url, "t", answer_seconds=0.5)
        with pytest.raises((Retryable, PeerProtocolError)):
            client.collect("R", "7", 500)
        thread.join()


@pytest.mark.parametrize("url", [None, "", "ftp://bank", "http://"])
def test_an_address_of_another_kind_is_refused_by_name(url: str | None) -> None:
    with pytest.raises(SettingsError, match="OUTCRY_BANK_URL"):
        open_bank(url, "token")


@pytest.mark.parametrize(
    "body",
    [
        "", "nonsense", None, [], {}, {"direction": "IN", "account": "7"},
        {"direction": "UP", "account": "7", "amount": 1},
        {"direction": "IN", "account": "", "amount": 1},
        {"direction": "IN", "account": "7", "amount": True},
        {"direction": "IN", "account": "7", "amount": 0},
        {"direction": "IN", "account": "7", "amount": 10**14},
        {"direction": "IN", "account": "7", "amount": 1, "x": 1},
        "x" * 5_000,
    ],
)  # fmt: skip
def test_a_malformed_request_is_refused(bank: BankProcess, body: object, reference: str) -> None:
    assert bank.ask("PUT", f"/payments/{reference}", body)[0] == 400
    assert bank.ask("GET", f"/payments/{reference}") == (404, {"code": "UNKNOWN_REFERENCE"})


@pytest.mark.parametrize(
    "told",
    [{}, {"behaviour": "odd"}, {"behaviour": "slow", "seconds": "1"},
     {"behaviour": "slow", "times": 1.5}, {"behaviour": "slow", "for": 1}],
)  # fmt: skip
def test_an_order_the_bank_does_not_know_is_refused(bank: BankProcess, told: object) -> None:
    assert bank.ask("PUT", "/behaviour", told)[0] == 400
    assert bank.ask("GET", "/behaviour") == (200, {"behaviour": "normal", "times": None})


def test_what_it_answered_survives_a_kill_and_a_line_cut_short(
    bank: BankProcess, reference: str
) -> None:
    bank.client().pay(reference, "7", 500)
    bank.kill()
    with (bank.state / "journal.jsonl").open("ab") as journal:
        journal.write(b'["half","OUT","7"')
    bank.start()
    assert "half" not in bank.payments()
    assert bank.client().pay(reference, "7", 500) == done(reference, "OUT")
    bank.kill()
    bank.start()
    assert bank.payments()[reference]["status"] == "DONE"


@given(amount=st.integers(1, 10**13).filter(lambda paise: paise not in AMOUNTS))
@settings(max_examples=50)
def test_every_amount_arrives_to_the_paisa(bank: BankProcess, amount: int) -> None:
    reference = f"A-{next(_numbers)}"
    assert bank.client().collect(reference, "7", amount) == done(reference, amount=amount)
    assert bank.ask("GET", f"/payments/{reference}")[1]["amount"] == amount
