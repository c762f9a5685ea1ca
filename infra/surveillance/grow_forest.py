"""`make forest`: grows the isolation forest on simulated days and writes it as plain arrays.

Needs scikit-learn (`infra/requirements/forest.txt`), which nothing that runs does. Invariant: the
same library and seeds make the same file; the threshold is chosen on days that the forest was
grown on, and what it is worth is told of days that it was not.
"""

import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

from functions.shared.domain.surveillance.behaviour import features_of
from functions.surveillance.forest import FILE, Forest, path_length, save_forest
from infra.surveillance.evaluation import HELD_OUT, TUNING, Score, by_forest, watch
from infra.surveillance.schemes import population

_TREES, _SAMPLE, _SEED = 100, 256, 20_261_123


def days_of(seeds: tuple[int, ...]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """The figures of every customer's day who traded, and who takes part in a scheme."""
    rows, guilty = [], []
    for seed in seeds:
        made = population(seed)
        planted = set[int]().union(*made.planted.values())
        desk, _, _ = watch(made)
        for user, each in desk.watches.items():
            if each.symbols:
                rows.append(features_of(each))
                guilty.append(user in planted)
    return np.asarray(rows), np.asarray(guilty)


def grown(rows: NDArray[np.float64]) -> Any:
    """scikit-learn's forest of these days; nobody tells it who is guilty."""
    from sklearn.ensemble import IsolationForest  # only here: nothing that runs has it

    forest = IsolationForest(n_estimators=_TREES, max_samples=_SAMPLE, random_state=_SEED)
    return forest.fit(rows.astype(np.float32))


def plain(model: Any, rows: NDArray[np.float64], threshold: float) -> Forest:
    """The model as arrays."""
    features, cuts, lefts, rights, depths, roots = [], [], [], [], [], []
    first = 0
    for estimator, columns in zip(model.estimators_, model.estimators_features_, strict=True):
        tree = estimator.tree_
        is_leaf = tree.children_left < 0
        features.append(np.where(is_leaf, -1, columns[np.maximum(tree.feature, 0)]))
        cuts.append(tree.threshold)
        lefts.append(np.where(is_leaf, 0, tree.children_left + first))
        rights.append(np.where(is_leaf, 0, tree.children_right + first))
        beyond = np.array([path_length(int(count)) for count in tree.n_node_samples])
        depths.append(_depths(tree) + beyond)
        roots.append(first)
        first += tree.node_count
    quarter, usual, three = np.percentile(rows, [25, 50, 75], axis=0)
    return Forest(
        feature=np.concatenate(features).astype(np.int8),
        cut=np.concatenate(cuts).astype(np.float64),
        left=np.concatenate(lefts).astype(np.int32),
        right=np.concatenate(rights).astype(np.int32),
        depth=np.concatenate(depths),
        roots=np.asarray(roots, dtype=np.int32),
        usual=usual,
        spread=three - quarter,
        sample=int(model.max_samples_),
        threshold=threshold,
    )


def _depths(tree: Any) -> NDArray[np.float64]:
    """How many cuts lead to each node; children come behind their parents."""
    found = np.zeros(tree.node_count)
    for node in range(tree.node_count):
        for child in (tree.children_left[node], tree.children_right[node]):
            if child >= 0:
                found[child] = found[node] + 1
    return found


def best_threshold(scores: NDArray[np.float64], guilty: NDArray[np.bool_]) -> float:
    """Where precision and recall are together best (F1) on these days."""
    order = np.argsort(-scores)
    right = np.cumsum(guilty[order])
    count = np.arange(1, len(order) + 1)
    worth = 2 * right / (count + guilty.sum())
    return float(scores[order][int(np.argmax(worth))])


def main() -> int:
    rows, guilty = days_of(TUNING)
    model = grown(rows)
    scores = np.asarray(plain(model, rows, 1.0).scores(rows.tolist()))
    forest = plain(model, rows, best_threshold(scores, guilty))
    save_forest(forest, FILE)
    held = Score()
    for seed in HELD_OUT:
        made = population(seed)
        by_forest(held, made, watch(made)[0], forest)
    sys.stdout.write(
        f"{FILE.name}: {FILE.stat().st_size // 1024} KiB, threshold {forest.threshold:.3f};"
        f" on days it never saw precision {held.precision:.2f}, recall {held.recall:.2f}\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
