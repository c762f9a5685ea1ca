"""`make bench`: runs the stages, prints a table and writes `build/bench/NAME.json` for each.

Every figure stands beside its baseline from the same run, because machines differ. A stage that
can't run here says why; a slow machine is never a failure.
"""

import argparse
import importlib
import json
import os
import platform
import subprocess
import sys
import traceback
from pathlib import Path
from typing import Any

from tests.bench.processes import CantRunHere

ROOT = Path(__file__).resolve().parents[2]
OUT = ROOT / "build" / "bench"

#: Stage -> module with `run(seconds) -> {"name", "figure", "unit", "baselines": [...], ...}`.
STAGES = {
    "place_order": "tests.bench.place_order",
    "hot_account": "tests.bench.hot_account",
    "balance_check": "tests.bench.balance_check",
    "portfolio": "tests.bench.portfolio",
    "search": "tests.bench.search",
    "open_loop": "tests.bench.open_loop",
    "replay": "tests.bench.replay",
    "cold_import": "tests.bench.cold_import",
    "fix_round_trip": "tests.bench.fix_round_trip",
    "ingest": "tests.bench.ingest",
    "triggers": "tests.bench.triggers",
    "fraud": "tests.bench.fraud",
    "fanout": "tests.bench.fanout",
    "fanout_memory": "tests.bench.fanout_memory",
    "quote_latency": "tests.bench.quote_latency",
    "churn": "tests.bench.churn",
    "stalled": "tests.bench.stalled",
    "reconnect": "tests.bench.reconnect",
    "http_to_fill": "tests.bench.http_to_fill",
    "terminal": "tests.bench.terminal",
}


def machine() -> str:
    return f"{platform.machine()} x{os.cpu_count()} {platform.system()} {platform.python_version()}"


def commit() -> str:
    done = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, cwd=ROOT
    )
    return done.stdout.strip() or "unknown"


def complete(name: str, measured: dict[str, Any]) -> dict[str, Any]:
    """The stage's answer in the shape of every report."""
    figure = measured["figure"]
    baselines = [
        {**b, "ratio": round(figure / b["figure"], 3) if b["figure"] else None}
        for b in measured.get("baselines", [])
    ]
    first = baselines[0] if baselines else {"figure": None, "ratio": None}
    rest = {k: v for k, v in measured.items() if k not in {"name", "figure", "unit", "baselines"}}
    return {
        "name": name,
        "figure": figure,
        "unit": measured["unit"],
        "baseline": first["figure"],
        "ratio": first["ratio"],
        "baselines": baselines,
        "machine": machine(),
        "commit": commit(),
        **rest,
    }


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench")
    parser.add_argument("stage", nargs="?", choices=sorted(STAGES))
    parser.add_argument("--seconds", type=float, default=10.0)
    arguments = parser.parse_args()
    OUT.mkdir(parents=True, exist_ok=True)
    names = [arguments.stage] if arguments.stage else list(STAGES)
    print(f"{'stage':<18}{'figure':>14}  {'unit':<34}{'baseline':>14}{'ratio':>8}", flush=True)
    broken = 0
    for name in names:
        try:
            report = complete(name, importlib.import_module(STAGES[name]).run(arguments.seconds))
        except CantRunHere as error:
            print(f"{name:<18} can't be run here: {error}", flush=True)
            continue
        except Exception:  # noqa: BLE001  one broken stage must not hide the others
            broken += 1
            print(f"{name:<18} could not be measured:", flush=True)
            traceback.print_exc()
            continue
        (OUT / f"{name}.json").write_text(json.dumps(report, indent=2) + "\n")
        baseline = "-" if report["baseline"] is None else f"{report['baseline']:,.1f}"
        ratio = "-" if report["ratio"] is None else f"{report['ratio']:.2f}"
        print(
            f"{name:<18}{report['figure']:>14,.1f}  {report['unit']:<34}{baseline:>14}{ratio:>8}",
            flush=True,
        )
        for other in report["baselines"]:
            print(
                f"{'':<18}{'':>14}  vs {other['name']}: {other['figure']:,.1f} (x{other['ratio']})"
            )
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
