"""Money in and out in the ledger: once, by the state table, and only what may leave."""

import threading
from datetime import timedelta

import pytest

from functions.shared.bookkeeping import payments
from functions.shared.bookkeeping.intervening import intervene
from functions.shared.bookkeeping.payments import RequestedPayment
from functions.shared.domain.errors import Conflict, InvariantViolated, NotFound
from functions.shared.domain.orders import Side
from functions.shared.domain.payments import (
    ATTEMPTS_MOST,
    TRANSITIONS,
    UNDER_WAY_MOST,
    Direction,
    PaymentHappening,
    PaymentState,
)
from functions.shared.stores.postgres import Shards
from functions.shared.wire.payments import PaymentFacts
from infra.local.postgres import APPLICATION
from tests.integration.ledger.conftest import NewTrader
from tests.support.ledger import LAKH, Trader
from tests.support.postgres import ShardsUnderTest

IN, OUT = Direction.IN, Direction.OUT
DONE, REFUSED = PaymentHappening.DONE, PaymentHappening.REFUSED


def request(
    who: Trader, direction: Direction, amount: int, client_id: str = "p"
) -> RequestedPayment:
    return payments.request_payment(
        who.shards, who.user_id, direction, client_id, amount, who.today, who.now
    )


def attempt(
    who: Trader, payment: PaymentFacts, after: timedelta = timedelta()
) -> PaymentFacts | None:
    return payments.attempt_payment(
        who.shards, who.user_id, payment.payment_id, who.today, who.now + after
    )


def end(who: Trader, payment: PaymentFacts, happening: PaymentHappening) -> PaymentFacts:
    assert happening is not PaymentHappening.ASKED
    reason = "ACCOUNT_REFUSED" if happening is REFUSED else None
    return payments.end_payment(
        who.shards, who.user_id, payment.payment_id, happening, reason, who.today, who.now
    )


def withdraw(who: Trader, amount: int, client_id: str = "p") -> PaymentFacts:
    """A withdrawal that the bank was asked for."""
    payment = request(who, OUT, amount, client_id).payment
    assert payment.state is PaymentState.REQUESTED, payment.rules
    attempt(who, payment)
    return payment


def postings(who: Trader, account: str) -> int:
    rows = who.database().run(
        "SELECT coalesce(sum(amount), 0)::bigint FROM ledger.posting WHERE user_id = :user_id"
        " AND account = :account",
        user_id=who.user_id,
        account=account,
    )
    return int(rows[0][0])


def rules(payment: PaymentFacts) -> list[object]:
    return [rule["code"] for rule in payment.rules or []]


def test_the_database_has_the_same_state_table(ledger: Shards) -> None:
    rows = ledger.control.run(
        "SELECT direction, state, happening, next FROM ledger.payment_transition"
    )
    assert {(a, b, c): d for a, b, c, d in rows} == {
        tuple(key): after.value for key, after in TRANSITIONS.items()
    }


def test_a_deposit_is_the_customers_once_the_bank_has_it(new_trader: NewTrader) -> None:
    who = new_trader(funds=0)
    payment = request(who, IN, LAKH).payment
    assert (payment.state, payment.requested_seq) == (PaymentState.REQUESTED, 2)
    attempt(who, payment)
    assert who.funds().cash == 0
    ended = end(who, payment, DONE)
    assert (ended.state, who.funds().cash) == (PaymentState.COLLECTED, LAKH)
    assert who.kinds() == ["ACCOUNT_OPENED", "DEPOSIT_REQUESTED", "DEPOSITED"]
    assert ended.ended_seq == who.funds().seq


def test_a_deposit_the_bank_refuses_moves_nothing(new_trader: NewTrader) -> None:
    who = new_trader(funds=0)
    payment = request(who, IN, LAKH).payment
    attempt(who, payment)
    assert end(who, payment, REFUSED).state is PaymentState.FAILED
    assert who.kinds() == ["ACCOUNT_OPENED", "DEPOSIT_REQUESTED", "DEPOSIT_FAILED"]
    assert who.funds().cash == 0


def test_a_withdrawal_leaves_the_cash_at_once_and_the_house_when_it_is_paid(
    new_trader: NewTrader,
) -> None:
    who = new_trader()
    payment = withdraw(who, 300)
    assert (who.funds().cash, postings(who, "house:payouts")) == (LAKH - 300, 300)
    ended = end(who, payment, DONE)
    assert ended.state is PaymentState.PAID
    assert (who.funds().cash, postings(who, "house:payouts")) == (LAKH - 300, 0)
    assert postings(who, "house:bank") == 300 - LAKH
    assert who.kinds()[-2:] == ["WITHDRAWAL_REQUESTED", "WITHDRAWAL_PAID"]


def test_a_withdrawal_the_bank_refuses_comes_back(new_trader: NewTrader) -> None:
    who = new_trader()
    ended = end(who, withdraw(who, 300), REFUSED)
    assert (ended.state, ended.reason) == (PaymentState.RETURNED, "ACCOUNT_REFUSED")
    assert (who.funds().cash, postings(who, "house:payouts")) == (LAKH, 0)
    assert postings(who, "house:bank") == -LAKH


def test_what_orders_hold_cannot_leave(new_trader: NewTrader) -> None:
    who = new_trader()
    who.place(Side.BUY, 10)
    free = LAKH - who.funds().held
    refused = request(who, OUT, free + 1, "a").payment
    assert (refused.state, rules(refused)) == (
        PaymentState.REFUSED,
        ["INSUFFICIENT_WITHDRAWABLE"],
    )
    assert (refused.rules or [{}])[0]["nearest"] == f"{free // 100}.{free % 100:02d}"
    assert who.kinds()[-1] == "WITHDRAWAL_REFUSED"
    assert request(who, OUT, free, "b").payment.state is PaymentState.REQUESTED


def test_sale_proceeds_leave_once_they_are_settled(new_trader: NewTrader) -> None:
    who = new_trader()
    who.own(10)
    who.settle()
    order = who.sell(10)
    who.fill(order, 10)
    funds = who.funds()
    assert funds.unsettled > 0
    free = funds.cash - funds.unsettled
    assert rules(request(who, OUT, free + 1, "a").payment) == ["INSUFFICIENT_WITHDRAWABLE"]
    who.settle()
    assert request(who, OUT, funds.cash, "b").payment.state is PaymentState.REQUESTED
    assert who.funds().cash == 0


def test_a_halted_account_moves_no_money_either_way(new_trader: NewTrader) -> None:
    who = new_trader()
    intervene(who.shards, who.user_id, 1, "STATE", '{"state":"HALTED"}', who.now)
    assert rules(request(who, OUT, 1, "a").payment) == ["ACCOUNT_HALTED"]
    assert rules(request(who, IN, 1, "a").payment) == ["ACCOUNT_HALTED"]


def test_an_id_means_one_payment_in_each_direction(new_trader: NewTrader) -> None:
    who = new_trader()
    first = request(who, OUT, 300)
    again = request(who, OUT, 300)
    assert (again.replayed, again.payment) == (True, first.payment)
    with pytest.raises(Conflict):
        request(who, OUT, 301)
    assert not request(who, IN, 300).replayed
    assert who.funds().cash == LAKH - 300


def test_a_refused_id_stays_refused(new_trader: NewTrader) -> None:
    who = new_trader(funds=0)
    refused = request(who, OUT, 300)
    who.deposit(LAKH)
    again = request(who, OUT, 300)
    assert (again.replayed, again.payment) == (True, refused.payment)


def test_so_many_payments_are_under_way_at_most(new_trader: NewTrader) -> None:
    who = new_trader()
    for number in range(UNDER_WAY_MOST):
        request(who, Direction.IN if number % 2 else OUT, 1, f"p{number}")
    for direction in Direction:
        assert rules(request(who, direction, 1, "x").payment) == ["TOO_MANY_PAYMENTS"]
    assert who.kinds()[-2:] == ["DEPOSIT_REFUSED", "WITHDRAWAL_REFUSED"]


@pytest.mark.parametrize("direction", Direction)
@pytest.mark.parametrize("word", [DONE, REFUSED])
def test_the_banks_last_word_is_booked_once_and_never_taken_back(
    new_trader: NewTrader, direction: Direction, word: PaymentHappening
) -> None:
    who = new_trader()
    payment = request(who, direction, 300).payment
    attempt(who, payment)
    first = end(who, payment, word)
    seq = who.funds().seq
    assert end(who, payment, word) == first
    with pytest.raises(InvariantViolated):
        end(who, payment, REFUSED if word is DONE else DONE)
    assert who.funds().seq == seq
    assert attempt(who, payment) is None


def test_a_withdrawal_the_bank_never_heard_of_has_no_last_word(new_trader: NewTrader) -> None:
    who = new_trader()
    payment = request(who, OUT, 300).payment
    with pytest.raises(InvariantViolated):
        end(who, payment, DONE)


def test_the_bank_is_asked_at_growing_pauses_and_then_a_person(new_trader: NewTrader) -> None:
    who = new_trader()
    payment = request(who, OUT, 300).payment
    waited, pauses = timedelta(), []
    while attempt(who, payment, waited) is not None:
        assert attempt(who, payment, waited) is None  # of two that ask at once one does
        pause = timedelta(minutes=1)
        while attempt_is_early(who, payment, waited + pause) and pause < timedelta(hours=2):
            pause += timedelta(minutes=1)
        pauses.append(pause // timedelta(minutes=1))
        waited += pause
    assert pauses[:-1] == [1, 2, 4, 8, 16, 32, 60, 60, 60, 60, 60]
    (stuck,) = payments.list_payments(who.shards, who.user_id, None, 10)
    assert (stuck.state, stuck.attempts, stuck.waits) == (PaymentState.SENT, ATTEMPTS_MOST, False)
    assert payments.stuck_payments(who.shards.databases[home(who)], 10) == [payment.payment_id]
    assert end(who, payment, DONE).state is PaymentState.PAID  # its answer still counts


def test_a_person_has_the_bank_asked_again_about_what_is_stuck_alone(
    new_trader: NewTrader, ledger_databases: ShardsUnderTest
) -> None:
    who = new_trader()
    payment = request(who, OUT, 300).payment
    owner = ledger_databases.superuser(home(who))
    retry = "SELECT ledger.retry_payment(:payment_id, :now)"
    sure: dict[str, object] = {"payment_id": payment.payment_id, "now": who.now}
    assert owner.run(retry, **sure) == [[False]]
    for _ in range(ATTEMPTS_MOST):
        who.now += timedelta(hours=1)
        attempt(who, payment)
    assert attempt(who, payment, timedelta(days=1)) is None
    assert owner.run(retry, **sure) == [[True]]
    owner.close()
    assert (attempt(who, payment) or payment).attempts == 1
    end(who, payment, DONE)


def attempt_is_early(who: Trader, payment: PaymentFacts, after: timedelta) -> bool:
    due = payments.due_payments(who.shards.databases[home(who)], who.now + after, 1_000)
    return payment.payment_id not in {one.payment_id for _, one in due}


def home(who: Trader) -> int:
    """The shard of a trader, by where the account is."""
    return next(
        number
        for number, database in enumerate(who.shards.databases)
        if database.run("SELECT FROM ledger.account WHERE user_id = :user_id", user_id=who.user_id)
    )


def test_of_many_withdrawals_at_once_only_what_is_there_leaves(
    new_trader: NewTrader, ledger_databases: ShardsUnderTest
) -> None:
    who = new_trader(funds=1_000)
    states: list[PaymentState] = []

    def ask(number: int) -> None:
        own = Shards(ledger_databases.urls(APPLICATION), "test")
        asked = payments.request_payment(
            own, who.user_id, OUT, f"p{number}", 300, who.today, who.now
        )
        states.append(asked.payment.state)
        own.close()

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(states) == [PaymentState.REFUSED] * 5 + [PaymentState.REQUESTED] * 3
    assert who.funds().cash == 100


def test_nobody_without_an_account_pays(ledger: Shards, new_trader: NewTrader) -> None:
    who = new_trader()
    with pytest.raises(NotFound):
        payments.request_payment(ledger, 10**9, IN, "p", 1, who.today, who.now)
