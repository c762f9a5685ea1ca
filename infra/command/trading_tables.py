"""What the trading commands print: aligned tables for people, one JSON document for programs.

Invariant: in JSON, money is integer paise under a name that ends in `_paise`, and prices stay the
text that the API gave. Nothing the broker sent is read as markup.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from rich.console import Console
from rich.table import Table

_PIPE_WIDTH = 400
"""Columns where no terminal has a width: what reads a pipe wants one line a row."""

MONEY = frozenset(
    [
        "cash",
        "held",
        "available",
        "available_after",
        "borrowed",
        "unsettled",
        "blocked",
        "withdrawable",
        "short_delivery",
        "value",
        "margin",
        "traded_value",
        "cost",
        "day_pnl",
        "unrealised_pnl",
    ]
)
Item = Mapping[str, Any]

QUOTE = ("symbol", "ltp", "change", "change_percent", "bid", "ask", "volume", "open", "high", "low")
ORDER = (
    "order_id", "symbol", "side", "type", "quantity", "filled_quantity", "price",
    "average_price", "product", "status",
)  # fmt: skip
HOLDING = (
    "symbol", "quantity", "free_quantity", "average_price", "ltp", "value", "day_pnl",
    "unrealised_pnl",
)  # fmt: skip
FUNDS = ("available", "cash", "held", "unsettled", "blocked", "borrowed", "withdrawable")
PREVIEW = ("price", "value", "margin", "available", "available_after")
_WORDS = frozenset({"symbol", "side", "type", "product", "status", "order_id", "", "of"})


def paise(amount: str) -> int:
    """Integer paise of an amount in rupees. Raises ValueError for a part of a paisa."""
    exact = Decimal(amount).scaleb(2)
    if exact != exact.to_integral_value():
        raise ValueError(f"{amount} is not whole paise")
    return int(exact)


def document(item: Item) -> dict[str, Any]:
    """The API's object with its money in paise, the charges of a preview too."""
    shown: dict[str, Any] = {}
    for name, value in item.items():
        if name in MONEY:
            shown[f"{name}_paise"] = None if value is None else paise(value)
        elif name == "charges":
            shown["charges_paise"] = {charge: paise(amount) for charge, amount in value.items()}
        else:
            shown[name] = value
    return shown


def print_json(shown: Any) -> None:
    """One document on one line."""
    print(json.dumps(shown, separators=(",", ":")), flush=True)


def print_rows(columns: Sequence[str], items: Sequence[Item]) -> None:
    """A row an item; numbers to the right."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in columns:
        right = name not in _WORDS
        table.add_column(name.replace("_", " "), justify="right" if right else "left", no_wrap=True)
    for item in items:
        table.add_row(*("-" if item.get(name) is None else str(item[name]) for name in columns))
    _console().print(table)


def print_facts(facts: Sequence[tuple[str, str]]) -> None:
    """A line a fact: its name, then its amount to the right."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    for name, amount in facts:
        table.add_row(name.replace("_", " "), amount)
    _console().print(table)


def _console() -> Console:
    """Made when it is used: NO_COLOR and whether standard output is a terminal hold for now."""
    width = None if sys.stdout.isatty() else _PIPE_WIDTH
    return Console(width=width, markup=False, highlight=False, emoji=False)
