"""`fraud`: happenings a processor second that the rules of the fraud watch take in, and what of the
planted schemes they and the forest find.

The days are simulated, of 10,000 customers each, by seeds that neither a threshold nor the forest
was chosen by. Precision: whoever is found, how many of them were planted; recall: whoever was
planted, how many of them are found. Baseline in the same run: the forest asked about one user at
each happening, which is why it is asked once a batch.
"""

import time
from typing import Any

from functions.shared.domain.surveillance.behaviour import features_of
from functions.shared.domain.surveillance.findings import Rule
from functions.surveillance.forest import load_forest
from infra.surveillance.evaluation import HELD_OUT, Score, by_forest, by_rule, watch
from infra.surveillance.schemes import CUSTOMERS, population

_ASKED = 2_000
_SURE = 90


def run(seconds: float) -> dict[str, Any]:
    forest, rules, sure, unusual = load_forest(), dict[str, Score](), dict[str, Score](), Score()
    happenings, spent = 0, 0.0
    desk = None
    for seed in HELD_OUT:
        made = population(seed)
        desk, found, took = watch(made)
        happenings, spent = happenings + len(made.happenings), spent + took
        by_rule(rules, made, found)
        by_rule(sure, made, (f for f in found if f.score >= _SURE))
        by_forest(unusual, made, desk, forest)
    assert desk is not None
    named = {
        **rules,
        f"WASH_TRADING from {_SURE}": sure[Rule.WASH_TRADING.value],
        "forest, any scheme": unusual,
    }
    print(f"{'':<4}{len(HELD_OUT)} held-out days of {CUSTOMERS:,} customers, users:")
    for name, score in named.items():
        print(
            f"{'':<4}{name:<22} precision {score.precision:.2f}  recall {score.recall:.2f}"
            f"   {score.right} found, {score.missed} missed, {score.wrong} honest ones"
        )
    alone = {"name": "the forest at each happening", "figure": _asked_alone(desk)}
    return {
        "figure": happenings / spent,
        "unit": "happenings/processor second",
        "baselines": [alone],
        "found": {name: _figures(score) for name, score in named.items()},
    }


def _figures(score: Score) -> dict[str, float]:
    return {
        "precision": round(score.precision, 3),
        "recall": round(score.recall, 3),
        "right": score.right,
        "wrong": score.wrong,
        "missed": score.missed,
    }


def _asked_alone(desk: Any) -> float:
    forest, watches = load_forest(), [w for w in desk.watches.values() if w.symbols]
    started = time.process_time()
    for each in watches[:_ASKED]:
        forest.scores([features_of(each)])
    return len(watches[:_ASKED]) / (time.process_time() - started)
