"""How many machines a number of users asks for: the figures it begins with, and the formulae.

Invariant: what is printed is what was computed. A formula is text that is both shown and evaluated,
exactly (in fractions); every figure under it says whether it was measured, read out of the code, or
assumed. Nothing here has been run at that size: it scales what one node did.
"""

import ast
import json
import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Final, Literal

from edge.fanout.frames import array_frame
from edge.fanout.hub import GROUPS, TICK_SECONDS
from edge.fanout.rendering import QUOTE, render_ltp
from edge.ingest.publish import BATCH_SECONDS
from functions.shared.wire.quotes import NO_LEVELS, RECORD_BYTES, Quote

MEASURED_HERE: Final = Path(__file__).parents[1] / "measured"

Kind = Literal["measured", "code", "assumed"]


class NoSuchFigure(Exception):
    """A figure was named, or a report asked for, that there is none of."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A number that formulae begin with, and where it is from."""

    name: str
    value: Fraction
    unit: str
    kind: Kind
    source: str


@dataclass(frozen=True, slots=True)
class Formula:
    name: str
    unit: str
    text: str


@dataclass(frozen=True, slots=True)
class Part:
    """A row of the table: the formulae of its columns, empty where it has none of that."""

    name: str
    nodes: str = ""
    cores: str = ""
    gigabytes: str = ""
    gigabits: str = ""
    dollars: str = ""


_FANOUT_MD = "the field's published figures"

#: name, value, unit, why.
_ASSUMED: Final[tuple[tuple[str, str, str, str], ...]] = (
    ("connected_share", "1", "of users", "the worst case: all of them at once, all day"),
    ("symbols_watched", "20", "a user", "the promise: live quotes of twenty"),
    ("symbols_listed", "10000", "", "NSE and BSE cash, the options that are traded"),
    ("updates_per_symbol", "10", "a second", "100,000 a second over all"),
    ("moved_in_tick", "0.632", "of symbols", "1 - 1/e: updates at random, one each 100 ms"),
    ("moved_in_batch", "0.181", "of symbols", "1 - e^-0.2: the same in 20 ms"),
    ("packet_overhead", "73", "bytes", "TCP and IP 40, a TLS record 29, a frame's head 4"),
    ("connections_per_node", "10000", "", "what one node was measured with"),
    ("cores_per_node", "4", "", "half of it is room for a lost neighbour's clients"),
    ("utilisation", "0.5", "of a core", "so that a second node's load fits"),
    ("orders_per_user_day", "2", "", "an active trader's; most place none"),
    ("trading_seconds", "22500", "a day", "09:15 to 15:30"),
    ("trading_days", "21", "a month", ""),
    ("peak_factor", "10", "times the mean", "the open, and a fall"),
    ("writes_per_order", "3", "", "placed, acknowledged, filled"),
    ("records_per_order", "4", "", "command, two reports, one event"),
    ("records_per_stream_node", "20000", "a second", "durable appends, in batches"),
    ("ledger_bytes_per_order", "6000", "bytes", "events, postings, the order and its indexes"),
    ("function_seconds", "0.05", "an order", "of one environment, warm"),
    ("resting_per_user", "0.5", "", "stops, targets and GTCs that wait"),
    ("gigabits_per_valkey", "5", "Gbit/s", _FANOUT_MD),
    ("hours", "730", "a month", ""),
    ("dollars_core_hour", "0.04", "$", "list price class of a general ARM node; not quoted"),
    ("dollars_valkey_hour", "1", "$", "4xlarge class; not quoted"),
    ("dollars_shard_hour", "2", "$", "4xlarge class with a standby; not quoted"),
    ("dollars_egress_gigabyte", "0.05", "$", "list price above 150 TB a month"),
    ("dollars_million_calls", "1.2", "$", "50 ms of 512 MB and the request; not quoted"),
)

#: name, stage, key of its report, divided by which other key, unit.
_MEASURED: Final[tuple[tuple[str, str, str, str, str], ...]] = (
    ("deliveries_per_core", "fanout", "figure", "", "quotes a second"),
    ("bytes_per_connection", "fanout", "resident_bytes", "connections", "bytes"),
    ("updates_per_ingest_core", "ingest", "figure", "", "a second"),
    ("orders_per_shard", "place_order", "figure", "", "a second, one a call"),
    ("orders_per_session", "fix_round_trip", "figure", "", "a second"),
    ("updates_per_trigger_core", "triggers", "figure", "", "a second"),
    ("bytes_per_trigger", "triggers", "book_bytes_per_trigger", "", "bytes"),
)

FORMULAE: Final = (
    Formula("connected", "users", "users * connected_share"),
    Formula(
        "deliveries_per_user", "a second", "symbols_watched * ticks_per_second * moved_in_tick"
    ),
    Formula(
        "bytes_per_user",
        "bytes a second",
        "deliveries_per_user * quote_bytes + ticks_per_second * packet_overhead",
    ),
    Formula(
        "fanout_cores",
        "cores",
        "ceil(connected * deliveries_per_user / deliveries_per_core / utilisation)",
    ),
    Formula(
        "fanout_nodes",
        "nodes",
        "max(ceil(connected / connections_per_node), ceil(fanout_cores / cores_per_node))",
    ),
    Formula("fanout_gigabytes", "GB", "connected * bytes_per_connection / 10**9"),
    Formula("egress_gigabits", "Gbit/s", "connected * bytes_per_user * 8 / 10**9"),
    Formula(
        "egress_dollars",
        "$ a month",
        "connected * bytes_per_user * trading_seconds * trading_days / 10**9"
        " * dollars_egress_gigabyte",
    ),
    Formula(
        "fanout_dollars",
        "$ a month",
        "fanout_nodes * cores_per_node * dollars_core_hour * hours",
    ),
    Formula("updates_in", "a second", "symbols_listed * updates_per_symbol"),
    Formula("ingest_cores", "cores", "ceil(updates_in / updates_per_ingest_core / utilisation)"),
    Formula("ingest_nodes", "nodes, each with its standby", "2 * ingest_cores"),
    Formula(
        "feed_bytes",
        "bytes a second to each node",
        "symbols_listed * batches_per_second * moved_in_batch * record_bytes",
    ),
    Formula("feed_gigabits", "Gbit/s", "feed_bytes * fanout_nodes * 8 / 10**9"),
    Formula("valkey_nodes", "nodes", "ceil(feed_gigabits / gigabits_per_valkey)"),
    Formula("valkey_dollars", "$ a month", "valkey_nodes * dollars_valkey_hour * hours"),
    Formula(
        "orders_peak",
        "a second",
        "users * orders_per_user_day / trading_seconds * peak_factor",
    ),
    Formula(
        "ledger_shards",
        "shards",
        "ceil(orders_peak * writes_per_order / orders_per_shard / utilisation)",
    ),
    Formula(
        "ledger_gigabytes",
        "GB a month",
        "users * orders_per_user_day * trading_days * ledger_bytes_per_order / 10**9",
    ),
    Formula("ledger_dollars", "$ a month", "ledger_shards * dollars_shard_hour * hours"),
    Formula("fix_sessions", "sessions", "ceil(orders_peak / orders_per_session / utilisation)"),
    Formula("gateway_dollars", "$ a month", "2 * fix_sessions * dollars_core_hour * hours"),
    Formula(
        "stream_nodes",
        "nodes",
        "ceil(orders_peak * records_per_order / records_per_stream_node / utilisation)",
    ),
    Formula("stream_dollars", "$ a month", "2 * stream_nodes * dollars_valkey_hour * hours"),
    Formula("environments", "at once", "ceil(orders_peak * function_seconds)"),
    Formula(
        "function_dollars",
        "$ a month",
        "users * orders_per_user_day * trading_days / 10**6 * dollars_million_calls",
    ),
    Formula("trigger_cores", "cores", "ceil(updates_in / updates_per_trigger_core / utilisation)"),
    Formula("trigger_gigabytes", "GB", "users * resting_per_user * bytes_per_trigger / 10**9"),
    Formula("trigger_dollars", "$ a month", "2 * trigger_cores * dollars_core_hour * hours"),
    Formula("ingest_dollars", "$ a month", "ingest_nodes * dollars_core_hour * hours"),
)

PARTS: Final = (
    Part("quotes out (edge/fanout)", "fanout_nodes", "fanout_cores", "fanout_gigabytes",
         "egress_gigabits", "fanout_dollars"),
    Part("their bytes to users", dollars="egress_dollars"),
    Part("quotes in (edge/ingest)", "ingest_nodes", "ingest_cores", dollars="ingest_dollars"),
    Part("quotes between (Valkey)", "valkey_nodes", gigabits="feed_gigabits",
         dollars="valkey_dollars"),
    Part("ledger (PostgreSQL)", "ledger_shards", gigabytes="ledger_gigabytes",
         dollars="ledger_dollars"),
    Part("functions", "environments", dollars="function_dollars"),
    Part("streams", "stream_nodes", dollars="stream_dollars"),
    Part("order gateway", "fix_sessions", dollars="gateway_dollars"),
    Part("triggers", cores="trigger_cores", gigabytes="trigger_gigabytes",
         dollars="trigger_dollars"),
)  # fmt: skip


def figures(bench: Path, instead: Mapping[str, Fraction]) -> list[Figure]:
    """All figures: measured ones out of the reports in `bench`, some replaced by the caller's.

    Raises NoSuchFigure for a report that is missing, or a replacement nobody knows.
    """
    found = [*_measured(bench), *_of_the_code()]
    found += [Figure(n, Fraction(value), unit, "assumed", why) for n, value, unit, why in _ASSUMED]
    unknown = instead.keys() - {figure.name for figure in found}
    if unknown:
        names = ", ".join(sorted(figure.name for figure in found))
        raise NoSuchFigure(f"no figure is called {min(unknown)}; there are: {names}")
    return [
        Figure(f.name, instead[f.name], f.unit, "assumed", "as you say") if f.name in instead else f
        for f in found
    ]


def compute(begin: list[Figure], users: int) -> dict[str, Fraction]:
    """Every formula's value for so many users, by name, the figures among them."""
    known = {figure.name: figure.value for figure in begin} | {"users": Fraction(users)}
    for formula in FORMULAE:
        known[formula.name] = evaluate(formula.text, known)
    return known


_OPERATORS: Final[dict[type[ast.operator], Callable[[Fraction, Fraction], Fraction]]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: lambda base, power: Fraction(base ** int(power)),
}


def evaluate(text: str, known: Mapping[str, Fraction]) -> Fraction:
    """The value of sums, products, powers, `ceil` and `max` over known names.

    Raises NoSuchFigure for another name, ValueError for anything else a formula can't hold.
    """

    def value(node: ast.expr) -> Fraction:
        match node:
            case ast.Constant(value=int(number)):
                return Fraction(number)
            case ast.Name(id=name) if name in known:
                return known[name]
            case ast.Name(id=name):
                raise NoSuchFigure(f"{text!r} names {name}, which nothing gives")
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
                return _OPERATORS[type(op)](value(left), value(right))
            case ast.Call(func=ast.Name(id="ceil"), args=[one], keywords=[]):
                return Fraction(math.ceil(value(one)))
            case ast.Call(func=ast.Name(id="max"), args=several, keywords=[]) if several:
                return max(value(each) for each in several)
        raise ValueError(f"{text!r} is no formula: {ast.unparse(node)}")

    return value(ast.parse(text, mode="eval").body)


def _measured(bench: Path) -> list[Figure]:
    found = []
    for name, stage, key, over, unit in _MEASURED:
        path = bench / f"{stage}.json"
        try:
            report = json.loads(path.read_bytes())
            value = Fraction(str(report[key]))
            if over:
                value /= Fraction(str(report[over]))
        except (OSError, ValueError, KeyError, ZeroDivisionError) as error:
            raise NoSuchFigure(
                f"{path} doesn't tell {key} ({type(error).__name__}): `make bench STAGE={stage}`"
            ) from error
        source = f"make bench STAGE={stage}, {report['machine']}, commit {report['commit']}"
        found.append(Figure(name, value, unit, "measured", source))
    return found


def _of_the_code() -> list[Figure]:
    quote = Quote(
        "RELIANCE", 1, 1_234_567_890_123, 1_795_412_700_000, 14_321_500, 25, 14_300_000,
        14_350_000, 14_280_000, 14_310_000, 1_234_567, 14_320_000, NO_LEVELS,
    )  # fmt: skip
    one, two = (len(array_frame([render_ltp(QUOTE, quote)] * count)) for count in (1, 2))
    told = (
        ("quote_bytes", Fraction(two - one), "bytes", "edge/fanout/rendering.py, mode ltp in JSON"),
        ("record_bytes", Fraction(RECORD_BYTES), "bytes", "functions/shared/wire/quotes.py"),
        ("ticks_per_second", 1 / (GROUPS * Fraction(str(TICK_SECONDS))), "", "edge/fanout/hub.py"),
        ("batches_per_second", 1 / Fraction(str(BATCH_SECONDS)), "", "edge/ingest/publish.py"),
    )
    return [Figure(name, value, unit, "code", source) for name, value, unit, source in told]
