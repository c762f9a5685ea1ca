"""`cold_import`: milliseconds to import a handler in a fresh interpreter, compiled, p99 of runs.

Baseline: the import of the routing library alone, which every handler pays.
"""

import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HANDLERS = ("orders", "ledger", "auth", "search", "risk", "market")


def _milliseconds(statement: str) -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", statement], check=True, cwd=ROOT)
    return (time.perf_counter() - started) * 1000


def run(seconds: float) -> dict[str, object]:
    """The worst handler's median, less what the interpreter itself takes to start."""
    rounds = max(3, int(seconds / 2))
    statements = {name: f"import functions.{name}.handler" for name in HANDLERS}
    statements["base"] = "pass"
    statements["powertools"] = "import aws_lambda_powertools.event_handler"
    times: dict[str, list[float]] = {name: [] for name in statements}
    for statement in statements.values():
        _milliseconds(statement)  # writes the compiled files
    for _ in range(rounds):
        for name, statement in statements.items():
            times[name].append(_milliseconds(statement))
    base = statistics.median(times["base"])
    medians = {name: round(statistics.median(times[name]) - base, 1) for name in HANDLERS}
    powertools = statistics.median(times["powertools"]) - base
    return {
        "name": "cold_import",
        "figure": max(medians.values()),
        "unit": "ms, the slowest handler",
        "baselines": [{"name": "aws_lambda_powertools alone", "figure": round(powertools, 1)}],
        "handlers": medians,
    }
