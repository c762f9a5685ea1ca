"""New listings (35=d): into the instrument master, then into what this process watches.

    feed -> hear -> thread: market.list_share -> joined: book, announcements, the symbols' sessions

Invariant: a share is watched once the master has it, by the token it has there, and once the venue
has told of it to this process: it refuses a request that names a share it doesn't know, all of it.
The venue tells every listing again after each logon, so one that could not be written is not lost.
"""

import asyncio
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from edge.runtime.backoff import Backoff
from edge.runtime.log import logger
from functions.shared.domain.errors import PeerProtocolError, Retryable
from functions.shared.domain.instruments import Instrument, listed_name
from functions.shared.domain.money import NotADecimal, parse_price
from functions.shared.stores.listings import NewShare
from functions.shared.wire.quotes import SYMBOL_BYTES_MAX

#: New shares that may wait to be written; the venue tells of others again.
WAITING_MOST: Final = 1_000
_PERCENT = "2"
_TEXT_MOST = 200
_FIELD = re.compile(rb"(?:^|\x01)([0-9]{1,5})=([^\x01]*)")


def parse_listing(body: bytes) -> NewShare:
    """Raises PeerProtocolError for a body without a symbol, name, lot, tick, price or band that can
    be those of a share."""
    fields = {int(tag): value.decode("latin-1") for tag, value in _FIELD.findall(body)}
    symbol, name = fields.get(55, ""), fields.get(107, "")
    isin, sector = fields.get(48, ""), fields.get(1151, "")
    texts = (symbol, name, isin, sector)
    if not (symbol and name and all(t.isprintable() and len(t) <= _TEXT_MOST for t in texts)):
        raise PeerProtocolError(f"35=d of {symbol[:30]!r}, called {name[:30]!r}")
    if len(symbol.encode()) > SYMBOL_BYTES_MAX or symbol != listed_name(symbol):
        raise PeerProtocolError(f"35=d of {symbol[:30]!r}, which is no symbol")
    try:
        tick, price = parse_price(fields.get(969, "")), parse_price(fields.get(140, ""))
    except NotADecimal as error:
        raise PeerProtocolError(f"a price in 35=d: {error}") from error
    if fields.get(1306) != _PERCENT or tick <= 0 or price <= 0 or price % tick:
        raise PeerProtocolError(f"35=d of {symbol}: its tick, price or kind of band")
    return NewShare(
        symbol, name, isin, sector, tick, _whole(fields, 561, 10**9), _whole(fields, 1149, 100),
        price,
    )  # fmt: skip


class Listings:
    """Those that are not watched yet; `known` are. `write` may block; `joined` is told, on the
    loop, of those that are in the master now."""

    def __init__(
        self,
        known: Iterable[str],
        write: Callable[[NewShare], Instrument],
        joined: Callable[[Sequence[Instrument]], None],
    ) -> None:
        self._known = set(known)
        self._write, self._joined = write, joined
        self._waiting: dict[str, NewShare] = {}
        self._heard = asyncio.Event()

    def hear(self, body: bytes) -> None:
        """A 35=d, told by every session and line and after every logon. Raises
        PeerProtocolError."""
        share = parse_listing(body)
        if share.symbol not in self._known and len(self._waiting) < WAITING_MOST:
            self._waiting[share.symbol] = share
            self._heard.set()

    async def run(self) -> None:
        """Until cancelled. What the master doesn't take now is tried again, with back-off."""
        backoff, log = Backoff(), logger(__name__)
        while True:
            await self._heard.wait()
            self._heard.clear()
            written: list[Instrument] = []
            while self._waiting:
                symbol, share = next(iter(self._waiting.items()))
                try:
                    instrument = await asyncio.to_thread(self._write, share)
                except Retryable as error:
                    log.warning("a new share can't be listed yet", symbol=symbol, detail=str(error))
                    await asyncio.sleep(backoff.next_seconds())
                    continue
                backoff.reset()
                del self._waiting[symbol]
                self._known.add(symbol)
                written.append(instrument)
                log.info("a new share is listed", symbol=symbol, token=instrument.token)
            if written:
                self._joined(written)


def _whole(fields: dict[int, str], tag: int, most: int) -> int:
    text = fields.get(tag, "")
    if not (text.isascii() and text.isdecimal() and len(text) < 12 and 0 < int(text) <= most):
        raise PeerProtocolError(f"tag {tag} of 35=d is {text[:20]!r}")
    return int(text)
