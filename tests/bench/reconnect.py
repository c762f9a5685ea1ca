"""`reconnect`: how long until clients of a lost node are served by another, and have every event.

Load: CLIENTS clients of the library in one process, on two nodes; each watches a symbol that moves
each second and has an event of its account as often. First the link to one node falls silent
without an end, then the other node hangs (SIGSTOP), which has everybody by then, then the first one
is killed. Timed is, of each client that lost its connection, from the fault until it had the event
that was committed right after it. A hang is noticed after three seconds without a word.

Baseline: the same clients come in for the first time, over both nodes at once.
"""

import math
from typing import Any

import uvloop

from infra.load.run import raise_open_files
from tests.support.failover import Outcome, fail_over
from tests.support.valkey import valkey_server

CLIENTS = 1_000
WITHIN_SECONDS = 5.0


def _figures(outcome: Outcome) -> dict[str, float]:
    taken = outcome.back_seconds
    if not taken:
        raise RuntimeError(f"nobody lost a connection when it was {outcome.fault}")
    p50, p99 = (taken[math.ceil(share * len(taken)) - 1] for share in (0.5, 0.99))
    late = sum(each > WITHIN_SECONDS for each in taken)
    return {
        "clients": len(taken), "p50_s": p50, "p99_s": p99, "worst_s": taken[-1],
        "later_than_5_s": late,
    }  # fmt: skip


def run(seconds: float, clients: int = CLIENTS) -> dict[str, Any]:
    """The stage. It takes as long as its faults take, whatever `seconds` says. It raises
    AssertionError when a client missed an event, or had one twice."""
    raise_open_files()
    with valkey_server() as valkey:
        opening, *outcomes = uvloop.run(fail_over(valkey.url, clients))
    faults = {each.fault: _figures(each) for each in outcomes}
    return {
        "name": "reconnect",
        "figure": max(each["worst_s"] for each in faults.values()),
        "unit": "s until the last client is back",
        "baselines": [{"name": "all come in at once", "figure": opening.back_seconds[-1]}],
        "clients": clients,
        "events_missed": 0,
        "faults": faults,
    }
