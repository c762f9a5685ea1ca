"""What may be made to happen at the venue from outside: by a market file or its control port.

An action is a JSON object with `do` and that verb's fields. Invariant: what `read_action` returns
is well formed; whether it fits the venue (is the symbol listed, does the trade exist) is judged
when it happens.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from infra.exchange.instruments import Instrument
from infra.exchange.phases import Phase
from infra.exchange.prices import SCALE, parse_price

_SPAN = re.compile(r"(?:(\d{1,4})h)?(?:(\d{1,5})m)?(?:(\d{1,6})s)?")
_SYMBOL = re.compile(r"[A-Z0-9&-]{1,20}")
_PERCENT = re.compile(r"([+-]?\d{1,3}(?:\.\d{1,4})?)%")


@dataclass(frozen=True, slots=True)
class Target:
    """Where a price goes: to one in 1/10,000, or by so many millionths of the present one."""

    price: int = 0
    change_ppm: int = 0

    def of(self, present: float) -> float:
        """Return the price that is meant, given the present one."""
        return float(self.price) or present * (1 + self.change_ppm / 1_000_000)


@dataclass(frozen=True, slots=True)
class MovePrice:
    """The fair value of a share, or with an empty symbol of all (the index), moves in `over_s`."""

    symbol: str
    to: Target
    over_s: int


@dataclass(frozen=True, slots=True)
class HaltTrading:
    """`symbol` is empty for the market; `last_s` None lasts until it is lifted."""

    symbol: str
    last_s: int | None
    auction_s: int
    text: str


@dataclass(frozen=True, slots=True)
class LiftHalt:
    """`symbol` is empty for the market."""

    symbol: str


@dataclass(frozen=True, slots=True)
class SetPhase:
    """All shares go into a phase until the schedule's next boundary."""

    phase: Phase


@dataclass(frozen=True, slots=True)
class MoveBand:
    """Both ends of a price band, in 1/10,000 rupee."""

    symbol: str
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class ListShare:
    """A new share."""

    share: Instrument


@dataclass(frozen=True, slots=True)
class AmendTrade:
    """A bust (`quantity` 0) or correction of a trade: one ExecID, or the last of a symbol."""

    exec_id: str
    last_of: str
    price: int
    quantity: int
    text: str


@dataclass(frozen=True, slots=True)
class BookLate:
    """A trade of an order that may have ended already."""

    cl_ord_id: str
    quantity: int
    price: int


@dataclass(frozen=True, slots=True)
class DelayReports:
    """All that goes to a session waits for so long."""

    session: str
    for_s: int


Action = (
    MovePrice
    | HaltTrading
    | LiftHalt
    | SetPhase
    | MoveBand
    | ListShare
    | AmendTrade
    | BookLate
    | DelayReports
)


class ActionError(ValueError):
    """What is wrong with an action, for the person who wrote it."""


class _Fields:
    """The fields of one action; each is asked for once, and what nobody asked for is refused."""

    def __init__(self, raw: Mapping[str, Any]) -> None:
        self._raw = dict(raw)

    def text(self, name: str, default: str | None = None) -> str:
        value = self._raw.pop(name, default)
        if value is None:
            raise ActionError(f"{name!r} is missing")
        clean = isinstance(value, str) and value.isascii() and value.isprintable()
        if not clean or len(value) > 100:
            raise ActionError(f"{name!r} is a plain text of at most 100 characters")
        return str(value)

    def has(self, name: str) -> bool:
        return name in self._raw

    def whole(self, name: str, default: int | None = None) -> int:
        value = self._raw.pop(name, default)
        if value is None:
            raise ActionError(f"{name!r} is missing")
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 10**12:
            raise ActionError(f"{name!r} is a whole number")
        return value

    def price(self, name: str) -> int:
        text = self.text(name)
        try:
            price = parse_price(text)
        except ValueError as error:
            raise ActionError(f"{name!r}: {error}") from error
        if price <= 0:
            raise ActionError(f"{name!r} is above 0")
        return price

    def span(self, name: str, default: str | None = None) -> int:
        return parse_span(self.text(name, default))

    def target(self, name: str) -> Target:
        match = _PERCENT.fullmatch(str(self._raw.get(name, "")))
        if match is None:
            return Target(price=self.price(name))
        self._raw.pop(name)
        ppm = parse_price(match[1].removeprefix("+"))
        if ppm <= -100 * SCALE:
            raise ActionError(f"{name!r} leaves nothing of the price")
        return Target(change_ppm=ppm)

    def close(self) -> None:
        if self._raw:
            raise ActionError(f"unknown field {next(iter(self._raw))!r}")


def parse_span(text: str) -> int:
    """Return the seconds of `90s`, `15m` or `1h30m`; ActionError for anything else."""
    match = _SPAN.fullmatch(text)
    if not text or match is None:
        raise ActionError(f"{text[:20]!r} is not a span such as 90s, 15m or 1h30m")
    hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return hours * 3600 + minutes * 60 + seconds


def read_action(raw: object) -> Action:
    """Read one action; ActionError says what is wrong with it."""
    if not isinstance(raw, dict) or not all(isinstance(name, str) for name in raw):
        raise ActionError("an action is a JSON object")
    fields = _Fields(raw)
    verb = fields.text("do")
    reader = _READERS.get(verb)
    if reader is None:
        raise ActionError(f"'do' is one of {', '.join(sorted(_READERS))}, not {verb[:20]!r}")
    action = reader(fields)
    fields.close()
    return action


def _halt(fields: _Fields) -> Action:
    last_s = fields.span("for") if fields.has("for") else None
    symbol, text = fields.text("symbol", ""), fields.text("text", "halted by the exchange")
    return HaltTrading(symbol, last_s, fields.span("auction", "15m"), text)


def _phase(fields: _Fields) -> Action:
    name = fields.text("phase")
    names = [phase.value for phase in Phase if phase not in {Phase.HALTED, Phase.REOPENING}]
    if name not in names:
        raise ActionError(f"'phase' is one of {', '.join(names)}")
    return SetPhase(Phase(name))


def _band(fields: _Fields) -> Action:
    action = MoveBand(fields.text("symbol"), fields.price("low"), fields.price("high"))
    if action.low >= action.high:
        raise ActionError("'low' is below 'high'")
    return action


def _list(fields: _Fields) -> Action:
    share = Instrument(
        symbol=fields.text("symbol"),
        name=fields.text("name"),
        isin=fields.text("isin", ""),
        sector=fields.text("sector", ""),
        reference_price=fields.price("price"),
        tick=fields.price("tick"),
        band_percent=fields.whole("band_percent", 20),
        lot=fields.whole("lot", 1),
        index_weight=0,
        derivatives=False,
    )
    if not _SYMBOL.fullmatch(share.symbol) or share.reference_price % share.tick:
        raise ActionError("a listing has a symbol such as M&M, and a price on its tick")
    if share.lot < 1 or not 1 <= share.band_percent <= 50:
        raise ActionError("'lot' is at least 1 and 'band_percent' from 1 to 50")
    return ListShare(share)


def _amend(fields: _Fields, *, bust: bool) -> Action:
    if fields.has("exec_id") == fields.has("last_of"):
        raise ActionError("name the trade by either 'exec_id' or 'last_of' (its symbol)")
    exec_id, last_of = fields.text("exec_id", ""), fields.text("last_of", "")
    price, quantity = (0, 0) if bust else (fields.price("price"), fields.whole("quantity"))
    if not bust and not quantity:
        raise ActionError("'quantity' is above 0; a trade is taken back by 'bust'")
    text = fields.text("text", "busted by the exchange" if bust else "corrected by the exchange")
    return AmendTrade(exec_id, last_of, price, quantity, text)


_READERS: dict[str, Callable[[_Fields], Action]] = {
    "price": lambda f: MovePrice(f.text("symbol"), f.target("to"), f.span("over", "0s")),
    "index": lambda f: MovePrice("", f.target("to"), f.span("over", "0s")),
    "halt": _halt,
    "lift": lambda f: LiftHalt(f.text("symbol", "")),
    "phase": _phase,
    "band": _band,
    "list": _list,
    "bust": lambda f: _amend(f, bust=True),
    "correct": lambda f: _amend(f, bust=False),
    "late_trade": lambda f: BookLate(f.text("order"), f.whole("quantity"), f.price("price")),
    "delay": lambda f: DelayReports(f.text("session"), f.span("for")),
}
