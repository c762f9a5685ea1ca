"""Trading by the command line on a running stack: dry run, order, its fill, and each exit code."""

import json
import stat
import subprocess
import uuid
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from tests.support.stack import Stack, own_stack
from tests.support.trader import eventually


@pytest.fixture(scope="module")
def shop() -> Iterator[Stack]:
    with own_stack() as stack:
        yield stack


def answer(done: "subprocess.CompletedProcess[str]") -> dict[str, Any]:
    assert done.returncode == 0, done.stderr
    read: dict[str, Any] = json.loads(done.stdout)
    return read


def test_a_dry_run_sends_nothing_and_says_what_would(shop: Stack) -> None:
    shown = answer(shop.outcry("buy", "infy", "2", "--json"))

    assert shown["accepted"] is True
    assert isinstance(shown["value_paise"], int)
    assert "--confirm" in str(shown["send"])
    assert answer(shop.outcry("orders", "--json"))["items"] == []


def test_an_order_by_one_id_is_placed_once_and_its_shares_are_held(shop: Stack) -> None:
    words = ("buy", "INFY", "3", "--id", str(uuid.uuid4()), "--confirm", "--json")
    placed, again = answer(shop.outcry(*words)), answer(shop.outcry(*words))
    assert placed["order_id"] == again["order_id"]

    def held() -> list[object]:
        holdings = answer(shop.outcry("holdings", "--json"))["items"]
        return [(each["symbol"], each["quantity"]) for each in holdings]

    eventually(held, lambda found: found == [("INFY", 3)], 60)
    funds = answer(shop.outcry("funds", "--json"))
    assert isinstance(funds["cash_paise"], int)
    assert funds["cash_paise"] < 100_000_000
    table = shop.outcry("orders").stdout.splitlines()
    assert table[0].split()[:2] == ["order", "id"]
    assert str(placed["order_id"]) in table[1]


def test_a_working_order_is_cancelled(shop: Stack) -> None:
    ltp = answer(shop.outcry("quote", "TCS", "--json"))["items"][0]["ltp"]
    low = f"{int(Decimal(ltp) * 96 // 100)}.00"
    placed = answer(shop.outcry("buy", "TCS", "1", "--limit", low, "--confirm", "--json"))
    order_id = str(placed["order_id"])

    def status() -> object:
        items = answer(shop.outcry("orders", "--json"))["items"]
        return next(each["status"] for each in items if each["order_id"] == order_id)

    eventually(status, lambda found: found == "OPEN", 60)
    assert shop.outcry("cancel", order_id).returncode == 0
    eventually(status, lambda found: found == "CANCELLED", 60)


def test_prices_are_watched_for_a_while(shop: Stack) -> None:
    heard = shop.outcry("watch", "INFY", "--for", "5s", "--json")

    assert heard.returncode == 0, heard.stderr
    assert {json.loads(line)["symbol"] for line in heard.stdout.splitlines()} == {"INFY"}


def test_the_session_is_kept_for_its_owner_alone(shop: Stack) -> None:
    shop.outcry("funds")

    kept = shop.home / "cli" / "session.json"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("quote", "NOSUCH"), 3, "UNKNOWN_SYMBOL"),
        (("buy", "INFY", "1", "--limit", "0.03"), 3, "PRICE"),
        (("buy", "INFY", "1", "--id", "no spaces"), 2, "--id"),
        (("orders", "--limit", "0"), 2, "--limit 0"),
        (("cancel", "99"), 3, "NOT_FOUND"),
        (("watch", "INFY", "--for", "soon"), 2, "--for soon"),
    ],
)
def test_each_failure_has_its_code_and_its_reason(
    shop: Stack, words: tuple[str, ...], code: int, said: str
) -> None:
    done = shop.outcry(*words)

    assert done.returncode == code
    assert said in done.stderr + done.stdout


def test_without_a_stack_the_broker_is_not_reachable(shop: Stack) -> None:
    shop.outcry("down")

    done = shop.outcry("funds")
    assert done.returncode == 5, done.stderr
