"""What the venue announces beside prices: phases (35=h), and halts and bands of securities (35=f).

Invariant: a security's record is its class's phase with its own halt and band over it. A phase
never ends a security's halt; only the venue's word on that security does, or a new logon after
which the venue, which then tells every halt that stands before its first snapshot, says nothing
of it.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final, NamedTuple

from edge.ingest.fix import parse_sending_time
from functions.shared.clock import from_micros, micros
from functions.shared.domain.errors import PeerProtocolError
from functions.shared.domain.market_halts import STOPPED, VenueWord
from functions.shared.domain.money import NotADecimal, parse_price
from functions.shared.domain.sessions import Announcement, Phase, SecurityClass
from functions.shared.wire.announcements import NEWS_MOST, MarketNews, encode_announcement

#: TradingSessionID(336) as the venue writes it; continuous trading has another name here.
_PHASES: Final = {"CONTINUOUS": Phase.OPEN} | {
    phase.value: phase for phase in Phase if phase is not Phase.OPEN
}
_CLASSES: Final = {security.value: security for security in SecurityClass}
_TEXT_MAX: Final = 200
_FIELD = re.compile(rb"(?:^|\x01)([0-9]{1,5})=([^\x01]*)")


class PhaseTold(NamedTuple):
    """35=h. `security` is None when it is about all classes."""

    phase: Phase
    security: SecurityClass | None
    at: datetime
    text: str


class SecurityTold(NamedTuple):
    """35=f: one security's phase and band, in ten-thousandths of a rupee."""

    symbol: str
    phase: Phase
    band: tuple[int, int]
    at: datetime
    text: str


def parse_phase(body: bytes) -> PhaseTold:
    """Raises PeerProtocolError for a body that doesn't say which phase, of whom, since when."""
    fields = _fields(body)
    kind = fields.get(625)
    if kind is not None and kind not in _CLASSES:
        raise PeerProtocolError(f"TradingSessionSubID(625) is {kind[:30]!r}")
    security = None if kind is None else _CLASSES[kind]
    return PhaseTold(_phase(fields), security, _time(fields, 341), _text(fields))


def parse_security(body: bytes) -> SecurityTold:
    """Raises PeerProtocolError for a body without its symbol, phase, band or time."""
    fields = _fields(body)
    try:
        band = parse_price(_field(fields, 333)), parse_price(_field(fields, 332))
    except NotADecimal as error:
        raise PeerProtocolError(f"a price band in 35=f: {error}") from error
    return SecurityTold(_field(fields, 55), _phase(fields), band, _time(fields, 60), _text(fields))


class Announced:
    """The securities' records. `classes`: every listed symbol's class."""

    def __init__(self, classes: Mapping[str, SecurityClass]) -> None:
        self._classes = dict(classes)
        self._phases: dict[SecurityClass, PhaseTold] = {}
        self._told: dict[str, SecurityTold] = {}
        self._lifted: dict[str, datetime] = {}
        self._unconfirmed: set[str] = set()
        self._dirty: set[str] = set()
        self._news: dict[tuple[str, str], MarketNews] = {}

    def take_in(self, symbol: str, security: SecurityClass) -> None:
        """A share is listed from now on."""
        self._classes[symbol] = security
        self._dirty.add(symbol)

    def begin(self, symbols: Iterable[str]) -> None:
        """A new connection tells of these: what it doesn't say again is over."""
        self._unconfirmed.update(symbol for symbol in symbols if self._is_halted(symbol))

    def phase(self, told: PhaseTold) -> None:
        """Takes a 35=h, unless it is older than what the other line has told."""
        for security in SecurityClass:
            known = self._phases.get(security)
            if told.security in (None, security) and (known is None or _is_news(told, known)):
                self._phases[security] = told
                self._dirty |= {s for s, kind in self._classes.items() if kind is security}
                self._tell(_phase_news(security, told))

    def security(self, told: SecurityTold) -> None:
        """Takes a 35=f, unless it is older than what the other line has told. One about a symbol
        that isn't listed here is nobody's concern yet."""
        if told.symbol in self._classes:
            self._unconfirmed.discard(told.symbol)
            known = self._told.get(told.symbol)
            if known is None or _is_news(told, known):
                if told.phase in STOPPED:
                    self._lifted.pop(told.symbol, None)
                elif self._is_halted(told.symbol):
                    self._lifted[told.symbol] = told.at
                self._tell(_security_news(told))
                self._told[told.symbol] = told
                self._dirty.add(told.symbol)

    def settle(self, symbol: str) -> None:
        """A snapshot of the symbol came: a halt that was not told since the logon has ended; when
        it did is not known."""
        if symbol in self._unconfirmed:
            self._unconfirmed.discard(symbol)
            told = self._told[symbol]._replace(phase=Phase.OPEN, text="")
            self._told[symbol] = told
            self._dirty.add(symbol)
            self._tell(_security_news(told))

    def market_word(self) -> VenueWord | None:
        """The venue's word on the whole market: the stricter phase of a halt that all classes are
        in, else the latest of those that are in none; None until it has told all of them."""
        phases = list(self._phases.values())
        if len(phases) < len(SecurityClass):
            return None
        others = [told for told in phases if told.phase not in STOPPED]
        if others:
            told = max(others, key=lambda told: told.at)
            return VenueWord(told.phase, told.at)
        halted = any(told.phase is Phase.HALTED for told in phases)
        at = max(told.at for told in phases)
        return VenueWord(Phase.HALTED if halted else Phase.REOPENING, at)

    def tell(self, news: MarketNews) -> None:
        """News of the whole market that are not the venue's; of those, too, only the last."""
        self._tell(news)

    def take_dirty(self) -> dict[str, bytes]:
        """The records that changed since this was last asked, by symbol."""
        taken, self._dirty = self._dirty, set()
        records = ((symbol, self._record(symbol)) for symbol in taken)
        return {s: encode_announcement(s, record) for s, record in records if record is not None}

    def take_news(self) -> list[MarketNews]:
        """The changes since this was last asked, at most NEWS_MOST of them; of a class and of a
        symbol only the last."""
        taken = list(self._news)[:NEWS_MOST]
        return [self._news.pop(about) for about in taken]

    def mark_all(self) -> None:
        """Marks all as changed: what was written before may be lost."""
        self._dirty.update(self._classes)
        for security, phase in self._phases.items():
            self._tell(_phase_news(security, phase))
        for told in self._told.values():
            self._tell(_security_news(told))

    def _tell(self, news: MarketNews) -> None:
        self._news[(news.security_class or "", news.symbol or "")] = news

    def _is_halted(self, symbol: str) -> bool:
        told = self._told.get(symbol)
        return told is not None and told.phase in STOPPED

    def _record(self, symbol: str) -> Announcement | None:
        phase, told = self._phases.get(self._classes[symbol]), self._told.get(symbol)
        if phase is None:
            return None  # a halt alone says nothing until its class's phase is known
        if told is None:
            return Announcement(phase.phase, phase.at, text=phase.text)
        halt = told.phase if told.phase in STOPPED else None
        text = told.text if halt is not None else phase.text
        lifted_at = self._lifted.get(told.symbol)
        return Announcement(phase.phase, phase.at, halt, text, told.band, told.at, lifted_at)


def _is_news(told: PhaseTold | SecurityTold, known: PhaseTold | SecurityTold) -> bool:
    """The venue's business time never runs backwards; the two lines may."""
    return told.at >= known.at and told != known


def _phase_news(security: SecurityClass, told: PhaseTold) -> MarketNews:
    return MarketNews(phase=told.phase, at=micros(told.at), security_class=security, text=told.text)


def _security_news(told: SecurityTold) -> MarketNews:
    return MarketNews(
        phase=told.phase, at=micros(told.at), symbol=told.symbol, band=told.band, text=told.text
    )


def _fields(body: bytes) -> dict[int, str]:
    return {int(tag): value.decode("latin-1") for tag, value in _FIELD.findall(body)}


def _field(fields: Mapping[int, str], tag: int) -> str:
    value = fields.get(tag)
    if not value:
        raise PeerProtocolError(f"an announcement without tag {tag}")
    return value


def _phase(fields: Mapping[int, str]) -> Phase:
    name = _field(fields, 336)
    if name not in _PHASES:
        raise PeerProtocolError(f"TradingSessionID(336) is {name[:30]!r}")
    return _PHASES[name]


def _time(fields: Mapping[int, str], tag: int) -> datetime:
    millis = parse_sending_time(_field(fields, tag).encode("latin-1"))
    return from_micros(millis * 1000)


def _text(fields: Mapping[int, str]) -> str:
    return fields.get(58, "")[:_TEXT_MAX]
