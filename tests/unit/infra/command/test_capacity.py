"""`outcry capacity`: its arithmetic against figures worked out by hand, and what it refuses."""

import itertools
import json
import shutil
from fractions import Fraction
from pathlib import Path

import pytest

from infra.command.capacity import show_capacity
from infra.command.capacity_model import (
    FORMULAE,
    MEASURED_HERE,
    PARTS,
    NoSuchFigure,
    compute,
    evaluate,
    figures,
)
from infra.command.exits import WRONG_USAGE, Failure

#: Round numbers, so that a person can follow: 100,000 deliveries a core, 10,000 bytes a connection.
ROUND = {
    "deliveries_per_core": Fraction(1_000_000),
    "bytes_per_connection": Fraction(10_000),
    "orders_per_shard": Fraction(1_000),
    "quote_bytes": Fraction(100),
    "moved_in_tick": Fraction(1, 2),
    "trading_seconds": Fraction(20_000),
}


def test_fanout_s_nodes_cores_and_bandwidth_are_those_worked_out_by_hand() -> None:
    known = compute(figures(MEASURED_HERE, ROUND), 1_000_000)
    # 20 symbols x 10 ticks x 1/2 = 100 quotes a second and user; 10^8 of them over 500,000 a core.
    assert known["deliveries_per_user"] == 100
    assert known["fanout_cores"] == 200
    assert known["fanout_nodes"] == 100  # 10^6 / 10,000 connections; 200 cores fill only 50
    assert known["fanout_gigabytes"] == 10
    # 100 x 100 bytes and 10 packets x 73: 10,730 bytes a second, times 8 x 10^6.
    assert known["egress_gigabits"] == Fraction("85.84")


def test_more_quotes_than_connections_would_ask_for_bring_more_nodes() -> None:
    slow = ROUND | {"deliveries_per_core": Fraction(100_000)}
    known = compute(figures(MEASURED_HERE, slow), 1_000_000)
    assert known["fanout_cores"] == 2_000
    assert known["fanout_nodes"] == 500


def test_the_ledger_s_shards_follow_the_peak_of_orders() -> None:
    known = compute(figures(MEASURED_HERE, ROUND), 1_000_000)
    assert known["orders_peak"] == 1_000  # 10^6 x 2 / 20,000 x 10
    assert known["ledger_shards"] == 6  # 1,000 x 3 writes / 1,000 / 0.5


def test_ten_times_the_users_never_ask_for_less() -> None:
    begin = figures(MEASURED_HERE, {})
    sizes = [compute(begin, 10**power) for power in range(9)]
    for less, more in itertools.pairwise(sizes):
        assert all(less[formula.name] <= more[formula.name] for formula in FORMULAE)


def test_every_column_of_the_table_is_a_formula() -> None:
    names = {formula.name for formula in FORMULAE}
    for part in PARTS:
        told = {part.nodes, part.cores, part.gigabytes, part.gigabits, part.dollars} - {""}
        assert told <= names


@pytest.mark.parametrize(
    ("text", "value"),
    [("2 + 3 * 4", 14), ("ceil(7 / 2)", 4), ("max(a, 3)", 5), ("a * 10**2", 500), ("a - 1", 4)],
)
def test_a_formula_is_computed_as_it_reads(text: str, value: int) -> None:
    assert evaluate(text, {"a": Fraction(5)}) == value


@pytest.mark.parametrize("text", ["a.real", "'a'", "open('x')", "a if a else 1", "max()", "-a"])
def test_a_formula_holds_nothing_but_arithmetic(text: str) -> None:
    with pytest.raises(ValueError, match="is no formula"):
        evaluate(text, {"a": Fraction(5)})


def test_every_figure_says_what_it_is_and_where_it_is_from() -> None:
    for figure in figures(MEASURED_HERE, {}):
        assert figure.value > 0
        if figure.kind == "measured":
            assert "make bench STAGE=" in figure.source


def test_a_figure_can_be_replaced_and_then_says_so() -> None:
    (found,) = [f for f in figures(MEASURED_HERE, ROUND) if f.name == "quote_bytes"]
    assert (found.value, found.kind, found.source) == (100, "assumed", "as you say")


def test_an_unknown_figure_a_wrong_number_and_a_missing_report_are_refused(tmp_path: Path) -> None:
    with pytest.raises(NoSuchFigure, match=r"is called wings; there are: .*utilisation"):
        figures(MEASURED_HERE, {"wings": Fraction(1)})
    for wrong in ("utilisation", "utilisation=a lot", "utilisation=0", "utilisation=1/0"):
        with pytest.raises(Failure, match="--assume") as refused:
            show_capacity([1], None, [wrong], as_json=True)
        assert refused.value.code == WRONG_USAGE
    with pytest.raises(Failure, match="make bench STAGE=fanout"):
        show_capacity([1], tmp_path, [], as_json=True)


def test_a_folder_of_reports_takes_the_place_of_the_shipped_ones(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(MEASURED_HERE, tmp_path, dirs_exist_ok=True)
    report = json.loads((tmp_path / "fanout.json").read_bytes())
    (tmp_path / "fanout.json").write_text(json.dumps(report | {"figure": 1_000_000}))
    show_capacity([1_000_000], tmp_path, ["moved_in_tick=0.5"], as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert told["users"]["1000000"]["values"]["fanout_cores"] == 200
    assert told["formulae"]["connected"] == "users * connected_share"


def test_the_table_names_every_part_and_what_it_costs_together(
    capsys: pytest.CaptureFixture[str],
) -> None:
    show_capacity([10_000_000], None, [], as_json=False)
    shown = capsys.readouterr().out
    assert shown.startswith("10,000,000 users")
    for part in PARTS:
        assert part.name in shown
    assert "together" in shown
    assert "max_connections" not in shown
    assert "connections a shard sees at most" in shown
