"""The bank's rules and its journal, without its port."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.bank.bank import PAGE, Asked, Away, Bank, ReferenceReused, Unheard
from infra.bank.behaviour import AMOUNTS, Behaviour, Orders, read_orders
from infra.bank.customers import Customers, read_account
from infra.bank.payments import JOURNAL, OUT, Journal, JournalError, Payment

SECOND = 10**9


class SetTime:
    """The bank's clock, in a test's hands."""

    def __init__(self) -> None:
        self.now = SECOND

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    opened = Journal(tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def customers(tmp_path: Path) -> Customers:
    return Customers(tmp_path)


def asked(reference: str = "R", direction: str = "IN", amount: int = 500) -> Asked:
    return Asked(reference, direction, "7", amount)


def test_a_reference_is_decided_once(journal: Journal, customers: Customers) -> None:
    bank = Bank(journal, customers, Orders())
    first, _, _ = bank.pay(asked())
    bank.tell(Orders(Behaviour.REFUSE))
    assert bank.pay(asked())[0] is first
    with pytest.raises(ReferenceReused):
        bank.pay(asked(amount=501))


def test_orders_are_used_up_by_new_payments_alone(journal: Journal, customers: Customers) -> None:
    bank = Bank(journal, customers, Orders())
    bank.pay(asked())
    bank.tell(Orders(Behaviour.REFUSE, times=1))
    bank.pay(asked())
    outcomes = [bank.pay(asked(reference))[0].outcome for reference in ("a", "b")]
    assert outcomes == ["REFUSED", "DONE"]


def test_a_bank_that_is_away_takes_nothing_for_so_many_requests(
    journal: Journal, customers: Customers
) -> None:
    bank = Bank(journal, customers, Orders(Behaviour.AWAY, times=2))
    for _ in range(2):
        with pytest.raises(Away):
            bank.pay(asked())
    assert bank.pay(asked())[0].outcome == "DONE"


def test_what_is_decided_later_is_pending_until_then(
    journal: Journal, customers: Customers
) -> None:
    clock = SetTime()
    bank = Bank(journal, customers, Orders(Behaviour.LATER_REFUSE, times=1, seconds=2), clock)
    payment, _, _ = bank.pay(asked())
    assert payment.status(clock.now + 2 * SECOND - 1) == "PENDING"
    assert payment.status(clock.now + 2 * SECOND) == "REFUSED"


@pytest.mark.parametrize("amount", sorted(AMOUNTS))
def test_special_amounts_are_treated_alike_each_time(
    journal: Journal, customers: Customers, amount: int
) -> None:
    bank = Bank(journal, customers, Orders())
    for reference in ("a", "b"):
        if AMOUNTS[amount] is Behaviour.LOST:
            with pytest.raises(Unheard):
                bank.pay(asked(reference, amount=amount))
        else:
            assert bank.pay(asked(reference, amount=amount))[1] is AMOUNTS[amount]
        assert bank.pay(asked(reference, amount=amount))[1] in {AMOUNTS[amount], Behaviour.NORMAL}


def test_everything_is_listed_in_order_page_by_page(journal: Journal, customers: Customers) -> None:
    bank = Bank(journal, customers, Orders())
    names = [f"R{number}" for number in range(PAGE + 1)]
    journal.append = lambda _: None  # type: ignore[method-assign]  # a thousand fsyncs are slow
    for name in names:
        bank.pay(asked(name))
    first, following = bank.page(0)
    assert following == PAGE
    rest, end = bank.page(following)
    assert ([p.reference for p in first + rest], end) == (names, None)


@given(
    st.lists(
        st.builds(
            Payment,
            reference=st.text("abcXYZ019-", min_size=1, max_size=35),
            direction=st.sampled_from(["IN", "OUT"]),
            account=st.text("abc019-", min_size=1, max_size=34),
            amount=st.integers(1, 10**13),
            outcome=st.sampled_from(["DONE", "REFUSED"]),
            reason=st.text(max_size=40),
            at=st.integers(0, 2**62),
            decided_at=st.integers(0, 2**62),
        ),
        max_size=4,
        unique_by=lambda payment: payment.reference,
    )
)
def test_the_journal_gives_back_what_was_written(
    tmp_path_factory: pytest.TempPathFactory, payments: list[Payment]
) -> None:
    folder = tmp_path_factory.mktemp("bank")
    written = Journal(folder)
    for payment in payments:
        written.append(payment)
    written.close()
    again = Journal(folder)
    assert list(again.recovered.values()) == payments
    again.close()


def test_a_journal_belongs_to_one_bank(journal: Journal, tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="another bank"):
        Journal(tmp_path)


@pytest.mark.parametrize("line", [b"nonsense\n", b"[1,2]\n", b"{}\n", b"\n"])
def test_a_journal_damaged_in_the_middle_stops_the_start(tmp_path: Path, line: bytes) -> None:
    (tmp_path / JOURNAL).write_bytes(line + b'["R"')
    with pytest.raises(JournalError, match="line 1"):
        Journal(tmp_path)


@pytest.mark.parametrize(
    "told",
    [None, [], "normal", {"behaviour": None}, {"behaviour": "refuse", "times": -1},
     {"behaviour": "slow", "seconds": 61}, {"behaviour": "slow", "seconds": True}],
)  # fmt: skip
def test_orders_that_make_no_sense_are_refused(told: object) -> None:
    with pytest.raises(ValueError, match=r"times|seconds|Behaviour"):
        read_orders(told)


def test_orders_are_read() -> None:
    told = {"behaviour": "slow", "times": 3, "seconds": 0.5}
    assert read_orders(told) == Orders(Behaviour.SLOW, 3, 0.5)


def test_money_out_goes_to_the_account_registered_last_and_stays_where_it_went(
    journal: Journal, customers: Customers, tmp_path: Path
) -> None:
    bank = Bank(journal, customers, Orders())
    assert bank.pay(asked("counter", OUT))[0].to == ""
    bank.register("7", "50100123456789", "HDFC0000123")
    first = bank.pay(asked("first", OUT))[0]
    bank.register("7", "60100123456789", "ICIC0000123")
    assert bank.pay(asked("first", OUT))[0] is first
    with (tmp_path / "customers.jsonl").open("ab") as file:
        file.write(b'["7","9')  # cut off before anybody was told
    reopened = Bank(journal, Customers(tmp_path), Orders())
    assert [first.to, reopened.pay(asked("second", OUT))[0].to] == [
        "HDFC0000123/50100123456789", "ICIC0000123/60100123456789",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "body",
    [None, {}, {"number": "1", "ifsc": "HDFC0000123"}, {"number": "501001234", "ifsc": "HDFC"},
     {"number": 501001234, "ifsc": "HDFC0000123"}],
)  # fmt: skip
def test_what_cannot_be_an_account_is_refused(body: object) -> None:
    with pytest.raises(ValueError, match=r"number|ifsc"):
        read_account(body)
