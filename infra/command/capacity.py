"""`outcry capacity`: how many nodes, cores and dollars a number of users asks for, by arithmetic
over what one node was measured to do; and what the template's limits ask of the stores."""

import json
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from infra.command.capacity_model import (
    FORMULAE,
    MEASURED_HERE,
    PARTS,
    Figure,
    NoSuchFigure,
    compute,
    figures,
)
from infra.command.exits import DONE, WRONG_USAGE, Failure
from infra.local.gateway.template import read_template

CONNECTIONS_MOST: Final = 400  # max_connections of a shard, as deployed
_COLUMNS: Final = ("nodes", "cores", "gigabytes", "gigabits", "dollars")
_HEADINGS: Final = ("nodes", "cores", "GB", "Gbit/s", "$ a month")
#: Wide enough for a row whatever the terminal: a table that wraps can't be read or cut.
_WIDTH: Final = 132


def show_capacity(
    users: Sequence[int], bench: Path | None, assume: Sequence[str], as_json: bool
) -> int:
    """Prints the table of each number of users, the formulae and the figures; or all of it as JSON.

    Raises Failure (wrong usage) for a figure nobody knows and a report that is missing.
    """
    try:
        begin = figures(bench or MEASURED_HERE, _assumptions(assume))
    except NoSuchFigure as error:
        raise Failure(str(error), WRONG_USAGE) from error
    tables = {count: compute(begin, count) for count in users}
    if as_json:
        print(json.dumps(_report(begin, tables), indent=1))
        return DONE
    console = Console(width=_WIDTH, highlight=False)
    for count, known in tables.items():
        console.print(_table(count, known))
    console.print(_formulae(next(iter(tables.values()))))
    console.print(_figures(begin))
    _print_connections()
    return DONE


def _assumptions(assume: Sequence[str]) -> Mapping[str, Fraction]:
    found = {}
    for each in assume:
        name, _, value = each.partition("=")
        try:
            found[name] = Fraction(value)
        except (ValueError, ZeroDivisionError) as error:
            raise Failure(f"--assume takes NAME=NUMBER, not {each!r}", WRONG_USAGE) from error
        if found[name] <= 0:
            raise Failure(f"--assume {each}: a figure is more than nothing", WRONG_USAGE)
    return found


def _report(begin: Sequence[Figure], tables: Mapping[int, Mapping[str, Fraction]]) -> object:
    return {
        "figures": [
            {"name": f.name, "value": float(f.value), "unit": f.unit, "kind": f.kind,
             "source": f.source}
            for f in begin
        ],
        "formulae": {f.name: f.text for f in FORMULAE},
        "users": {
            str(count): {
                "values": {f.name: float(known[f.name]) for f in FORMULAE},
                "parts": {
                    part.name: {
                        column: float(known[name])
                        for column in _COLUMNS
                        if (name := getattr(part, column))
                    }
                    for part in PARTS
                },
                "dollars": float(_total(known)),
            }
            for count, known in tables.items()
        },
    }  # fmt: skip


def _total(known: Mapping[str, Fraction]) -> Fraction:
    return sum((known[part.dollars] for part in PARTS), Fraction(0))


def _table(users: int, known: Mapping[str, Fraction]) -> Table:
    table = Table(title=f"{users:,} users", title_justify="left", box=None, pad_edge=False)
    table.add_column("part")
    for heading in _HEADINGS:
        table.add_column(heading, justify="right")
    for part in PARTS:
        names = [getattr(part, column) for column in _COLUMNS]
        table.add_row(part.name, *(_said(known[name]) if name else "" for name in names))
    table.add_row("together", "", "", "", "", _said(_total(known)))
    return table


def _formulae(known: Mapping[str, Fraction]) -> Table:
    table = Table(title="\nformulae, and the first table's values", title_justify="left", box=None)
    for heading in ("name", "=", "value", "unit"):
        table.add_column(heading, justify="right" if heading == "value" else "left")
    for formula in FORMULAE:
        table.add_row(formula.name, formula.text, _said(known[formula.name]), formula.unit)
    return table


def _figures(begin: Sequence[Figure]) -> Table:
    table = Table(title="\nwhat they begin with", title_justify="left", box=None)
    for heading in ("figure", "value", "unit", "is", "from"):
        table.add_column(heading, justify="right" if heading == "value" else "left")
    for figure in begin:
        unit, source = figure.unit, figure.source
        table.add_row(figure.name, _said(figure.value), unit, figure.kind, source)
    return table


def _said(value: Fraction) -> str:
    """With as many places as it needs to be told from nothing."""
    if value >= 100 or value.denominator == 1:
        return f"{round(value):,}"
    return f"{float(value):,.3g}"


def _print_connections() -> None:
    """A function's environment holds at most one connection to a shard."""
    print("\nconnections a shard sees at most, by reserved concurrency")
    total = 0
    for function in read_template().functions:
        if function.reserved_concurrency is not None:
            total += function.reserved_concurrency
            print(f"  {function.logical_id:<24}{function.reserved_concurrency:>6}")
    print(f"  {'together':<24}{total:>6} of {CONNECTIONS_MOST}")
