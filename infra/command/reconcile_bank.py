"""`outcry reconcile`, the bank's side: every payment in the ledger against the bank's own list.

Invariant: what the bank did is booked once, to the paisa, in the postings to house:bank; what is
booked the bank did; what it refused moved nothing. Shares no code with what it checks.

A payment under way is no difference while somebody asks the bank about it: it is counted. One that
nobody asks about any more is.
"""

import json
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from infra.command.report import Report
from infra.command.verify_ledger import connect

SETTLE_SECONDS: Final = 3.0
_LOOK_SECONDS: Final = 0.5
_HTTP_SECONDS: Final = 10.0
_PROBLEMS_MOST: Final = 50

#: What the ledger says once the bank said its last word, by that word and the money's direction.
_ENDS: Final[Mapping[tuple[str, str], str]] = {
    ("DONE", "IN"): "COLLECTED",
    ("DONE", "OUT"): "PAID",
    ("REFUSED", "IN"): "FAILED",
    ("REFUSED", "OUT"): "RETURNED",
}
_UNDER_WAY: Final = frozenset({"REQUESTED", "SENT"})

# REFUSED payments never left us. The money comes from the postings, not from the payment's row. A
# slot that is arriving is read where it comes from.
_PAYMENTS: Final = """
SELECT p.payment_id::text, p.direction, p.user_id::text, p.amount, p.state, p.due_at IS NULL,
  coalesce((SELECT -sum(g.amount) FROM ledger.posting g WHERE g.user_id = p.user_id
    AND g.seq = p.ended_seq AND g.account = 'house:bank'), 0)::bigint
FROM ledger.payment p WHERE p.state <> 'REFUSED'
  AND p.user_id & 63 IN (SELECT slot FROM ledger.slot WHERE state IN ('HERE', 'LEAVING'))
"""


class Booked(NamedTuple):
    """A payment in the ledger. `moved`: paise booked as come in from the bank (out: negative);
    `idle`: nobody asks the bank about it."""

    direction: str
    account: str
    amount: int
    state: str
    idle: bool
    moved: int


class Done(NamedTuple):
    """A payment at the bank."""

    direction: str
    account: str
    amount: int
    status: str


def run(postgres_owner_urls: Sequence[str], bank_url: str, token: str) -> Report:
    """Compares every shard with the bank. Raises OSError when the bank, pg8000's errors when a
    shard can't be read."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while True:
        # The bank first: what it did by then may be booked by the time the ledger is read.
        bank = read_bank(bank_url, token)
        report = compare(bank, read_ledger(postgres_owner_urls))
        if report.ok or time.monotonic() > deadline:
            return report
        time.sleep(_LOOK_SECONDS)


def read_ledger(postgres_owner_urls: Sequence[str]) -> dict[str, Booked]:
    """The ledger's payments by reference, of all shards. A number has its slot in it, so no two
    shards have the same."""
    found: dict[str, Booked] = {}
    for url in postgres_owner_urls:
        connection = connect(url)
        try:
            found |= {row[0]: Booked(*row[1:]) for row in connection.run(_PAYMENTS)}
        finally:
            connection.close()
    return found


def read_bank(bank_url: str, token: str) -> dict[str, Done]:
    """The bank's payments by reference."""
    return {
        row["reference"]: Done(row["direction"], row["account"], row["amount"], row["status"])
        for row in _pages(bank_url, token)
    }


def compare(bank: Mapping[str, Done], ledger: Mapping[str, Booked]) -> Report:
    """Every difference between the two, at most 50 lines of them."""
    report = Report()
    report.checked["payments"] = len(bank.keys() | ledger.keys())
    report.checked["payments under way"] = sum(p.state in _UNDER_WAY for p in ledger.values())
    found = [
        f"payment {reference}: {fault}"
        for reference in sorted(bank.keys() | ledger.keys())
        for fault in _faults(bank.get(reference), ledger.get(reference))
    ]
    report.problems = found[:_PROBLEMS_MOST]
    if len(found) > _PROBLEMS_MOST:
        report.problems.append(f"and {len(found) - _PROBLEMS_MOST} more")
    return report


def _faults(done: Done | None, booked: Booked | None) -> Iterator[str]:
    if booked is None:
        yield f"the bank has it ({done}), the ledger does not"
        return
    if booked.state in _UNDER_WAY:
        yield from _faults_under_way(booked)
    else:
        yield from _faults_ended(done, booked)
    for name in ("direction", "account", "amount"):
        if done is not None and getattr(booked, name) != getattr(done, name):
            mine, its = getattr(booked, name), getattr(done, name)
            yield f"{name} {mine} in the ledger, {its} at the bank"


def _faults_under_way(booked: Booked) -> Iterator[str]:
    if booked.idle:
        yield f"{booked.state} in the ledger, and nobody asks the bank about it"
    if booked.moved:
        yield f"{booked.moved} moved, and the ledger awaits the bank's word"


def _faults_ended(done: Done | None, booked: Booked) -> Iterator[str]:
    if done is None:
        yield f"{booked.state} in the ledger, unknown to the bank"
    elif _ENDS.get((done.status, booked.direction)) != booked.state:
        yield f"{booked.state} in the ledger, {done.status} at the bank"
    if booked.moved != {"COLLECTED": booked.amount, "PAID": -booked.amount}.get(booked.state, 0):
        yield f"{booked.state}, and its postings to house:bank come to {booked.moved}"


def _pages(bank_url: str, token: str) -> Iterator[dict[str, Any]]:
    if urlsplit(bank_url).scheme != "http":
        raise ValueError(f"{bank_url!r} is not the address of the bank's loopback port")
    after: int | None = 0
    while after is not None:
        request = urllib.request.Request(
            f"{bank_url}/payments?after={after}", headers={"Authorization": f"Bearer {token}"}
        )
        with urllib.request.urlopen(request, timeout=_HTTP_SECONDS) as answer:
            page = json.load(answer)
        yield from page["payments"]
        after = page["next"]
