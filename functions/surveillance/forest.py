"""An isolation forest as plain arrays: how unlike other days a user's day is.

Liu, Ting and Zhou, "Isolation Forest" (ICDM 2008): a day that few random cuts part from all others
is unlike them; the score is 2^(-E(h)/c(n)), from 0 to 1. Grown by infra/surveillance with
scikit-learn, which no function carries; here the arrays are walked with numpy. Invariant: the
scores are scikit-learn's own (a test holds them together), by a file that can hold no code.
"""

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from functions.shared.domain.surveillance.behaviour import FEATURES

FILE: Final = Path(__file__).with_name("forest.npz")
_OUTSTANDING_MOST: Final = 3
_FAR: Final = 3.0
_POINTS_LEAST, _POINTS_MOST = 60, 95


@dataclass(frozen=True)
class Forest:
    """All trees one behind the other. A node: which `feature` (-1: a leaf), the `cut` at or below
    which the way goes `left`; of a leaf, the `depth` that it stands for. `roots`: where each tree
    begins. `usual` and `spread`: median and interquartile range of each figure in training."""

    feature: NDArray[np.int8]
    cut: NDArray[np.float64]
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    depth: NDArray[np.float64]
    roots: NDArray[np.int32]
    usual: NDArray[np.float64]
    spread: NDArray[np.float64]
    sample: int
    threshold: float

    def scores(self, days: Sequence[Sequence[float]]) -> list[float]:
        """Of each day, in the order of FEATURES: the higher, the less usual."""
        if not days:
            return []
        # Cuts were made between numbers of that width.
        figures = np.asarray(days, dtype=np.float32)
        rows = np.arange(len(days))[:, None]
        at = np.broadcast_to(self.roots, (len(days), len(self.roots)))
        while True:
            feature = self.feature[at]
            inner = feature >= 0
            if not inner.any():
                break
            goes_left = figures[rows, np.maximum(feature, 0)] <= self.cut[at]
            at = np.where(inner, np.where(goes_left, self.left[at], self.right[at]), at)
        mean = self.depth[at].mean(axis=1)
        scores: list[float] = np.exp2(-mean / path_length(self.sample)).tolist()
        return scores

    def points(self, score: float) -> int:
        """An alert's score: from 60 at the threshold towards 95 at 1."""
        part = (score - self.threshold) / max(1e-9, 1.0 - self.threshold)
        return _POINTS_LEAST + int(part * (_POINTS_MOST - _POINTS_LEAST))

    def outstanding(self, day: Sequence[float]) -> list[tuple[str, float, float]]:
        """The figures furthest from what is usual: name, value, median."""
        far = [
            (abs(value - float(usual)) / max(float(spread), 0.1), name, value, float(usual))
            for name, value, usual, spread in zip(
                FEATURES, day, self.usual, self.spread, strict=True
            )
        ]
        far.sort(reverse=True)
        furthest = far[:_OUTSTANDING_MOST]
        return [(name, value, usual) for apart, name, value, usual in furthest if apart > _FAR]


def path_length(sample: int) -> float:
    """c(n): the mean depth at which a search tree of n keys ends without finding (equation 1)."""
    if sample <= 1:
        return 0.0
    if sample == 2:
        return 1.0
    return 2.0 * (math.log(sample - 1.0) + np.euler_gamma) - 2.0 * (sample - 1.0) / sample


def save_forest(forest: Forest, path: Path) -> None:
    arrays: dict[str, Any] = {name: getattr(forest, name) for name in _ARRAYS}
    arrays["facts"] = np.array([forest.sample, forest.threshold])
    np.savez_compressed(path, **arrays)


def read_forest(path: Path) -> Forest:
    with np.load(path, allow_pickle=False) as held:
        sample, threshold = held["facts"]
        return Forest(
            **{name: held[name] for name in _ARRAYS},
            sample=int(sample),
            threshold=float(threshold),
        )


@functools.lru_cache(maxsize=1)
def load_forest() -> Forest:
    return read_forest(FILE)


_ARRAYS: Final = ("feature", "cut", "left", "right", "depth", "roots", "usual", "spread")
