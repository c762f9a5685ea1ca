"""The forest as plain arrays: it ranks days as the library that grew it, and holds no code."""

from pathlib import Path

import numpy as np
import pytest

from functions.shared.domain.surveillance.behaviour import FEATURES, features_of
from functions.shared.domain.surveillance.watched import Step, SymbolDay, Watch
from functions.surveillance.forest import load_forest, path_length, read_forest, save_forest


def days(count: int) -> list[list[float]]:
    random = np.random.default_rng(7)
    rows: list[list[float]] = random.exponential(1.0, (count, len(FEATURES))).tolist()
    return rows


def test_its_scores_are_those_of_the_library_that_grew_it() -> None:
    pytest.importorskip("sklearn", reason="installed by `make forest`")
    from infra.surveillance.grow_forest import grown, plain

    rows = np.asarray(days(600))
    model = grown(rows)
    asked = np.asarray(days(1000))
    theirs = -model.score_samples(asked.astype(np.float32))
    ours = plain(model, rows, 0.5).scores(asked.tolist())
    assert np.abs(theirs - np.asarray(ours)).max() < 1e-9


def test_the_one_that_ships_fits_its_figures_and_finds_layers_and_round_trips_unusual() -> None:
    forest = load_forest()
    assert len(forest.usual) == len(FEATURES)
    assert forest.feature.max() < len(FEATURES)
    calm = SymbolDay(bought=1, bought_value=100_000, messages=1, trades=1)
    busy = SymbolDay(
        bought=900, bought_value=900_000_000, sold=900, sold_value=900_000_000, messages=900,
        trades=60, round_trips=30, layers=12,
    )  # fmt: skip
    steps = [Step(code, 1, "2026-11-23") for code in ("NEW_DEVICE", "BANK_CHANGE", "MONEY_OUT")]
    quiet, loud = Watch("", {"ACME": calm}), Watch("", {"ACME": busy}, steps=steps)
    usual, unusual = forest.scores([features_of(quiet), features_of(loud)])
    assert usual < forest.threshold <= unusual
    assert 60 <= forest.points(unusual) <= 95
    assert "layers" in [name for name, *_ in forest.outstanding(features_of(loud))]
    assert forest.scores([]) == []


def test_a_day_scores_the_same_alone_and_among_others() -> None:
    forest, rows = load_forest(), days(50)
    assert forest.scores(rows) == [score for row in rows for score in forest.scores([row])]


def test_a_forest_is_read_as_it_was_written_and_no_code_with_it(tmp_path: Path) -> None:
    forest, path = load_forest(), tmp_path / "forest.npz"
    save_forest(forest, path)
    assert read_forest(path).scores(days(20)) == forest.scores(days(20))
    np.savez(path, feature=np.array([object()], dtype=object), facts=np.array([1, 1]))
    with pytest.raises((ValueError, KeyError)):
        read_forest(path)


def test_the_mean_depth_of_a_search_without_success_is_that_of_the_paper() -> None:
    assert (path_length(1), path_length(2)) == (0.0, 1.0)
    assert path_length(256) == pytest.approx(10.24, abs=0.01)
