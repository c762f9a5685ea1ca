"""`outcry watch`: live prices as lines, until interrupted or for a while.

Invariant: what waits to be printed is the latest price of each symbol, so a slow reader makes
prices skip and never pile up. The stream's own trouble is told on standard error.
"""

import asyncio
import contextlib
import sys
from collections.abc import Sequence
from typing import Annotated

from cyclopts import Parameter

from infra.command import trading_tables as tables
from infra.command.exits import DONE, NOT_REACHABLE, WRONG_USAGE, Failure
from infra.command.place import home
from infra.command.signed_in import signed_in
from infra.command.trading import upper
from outcry_client import AccountEvent, Api, Link, Market, Notice, Price, StreamClient

_UNITS = {"s": 1, "m": 60, "h": 3600}


def watch(
    symbols: list[str],
    /,
    *,
    for_: Annotated[str | None, Parameter(name="--for")] = None,
    json_: Annotated[bool, Parameter(name="--json")] = False,
) -> int:
    """Print each new price of the symbols until Ctrl-C.

    Args:
        symbols: such as INFY TCS
        for_: stop after so long: 10s, 5m or 1h
        json_: a JSON document a line
    """
    wanted, seconds = upper(symbols), None if for_ is None else seconds_of(for_)
    try:
        heard = signed_in(home(), lambda api: _follow(api, wanted, seconds, json_))
    except KeyboardInterrupt:
        return DONE
    if not heard:
        raise Failure(f"no price came within {for_}", NOT_REACHABLE)
    return DONE


def seconds_of(text: str) -> int:
    """Seconds of `10s`, `5m` or `1h`, a day at most. Raises Failure for anything else."""
    number, unit = text[:-1], text[-1:]
    if not (number.isascii() and number.isdigit() and len(number) < 6 and unit in _UNITS):
        raise Failure(f"--for {text}: a number and s, m or h, such as 10s", WRONG_USAGE)
    seconds = int(number) * _UNITS[unit]
    if not 1 <= seconds <= 86_400:
        raise Failure(f"--for {text}: 1s to 24h", WRONG_USAGE)
    return seconds


class _Latest:
    """Notes what the stream brings; `print_all` writes it, outside of the stream's own tasks."""

    def __init__(self, api: Api, json_: bool) -> None:
        self._api, self._json = api, json_
        self._prices: dict[str, Price] = {}
        self._news = asyncio.Event()
        self.heard = False

    def quotes(self, quotes: Sequence[Price]) -> None:
        self._prices |= {price.symbol: price for price in quotes}
        self._news.set()

    def account(self, events: Sequence[AccountEvent]) -> None:
        """Prices alone are printed."""

    def link(self, link: Link, detail: str) -> None:
        if link is not Link.LIVE and detail:
            print(f"outcry: stream {link.value}: {detail}", file=sys.stderr)

    def notice(self, notice: Notice) -> None:
        if notice.kind == "error":
            print(f"outcry: {notice.code}: {notice.message}", file=sys.stderr)

    async def reload(self) -> int:
        return int((await self._api.call("GET", "/v1/funds"))["seq"])

    async def print_all(self) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            due, self._prices = self._prices, {}
            for price in due.values():
                self.heard = True
                if self._json:
                    tables.print_json(price.fields)
                else:
                    print(price_line(price), flush=True)


def price_line(price: Price) -> str:
    """Symbol, last price, change, change in per cent, volume, each in columns of its own."""
    told = [price.fields.get(name) for name in ("ltp", "change", "change_percent", "volume")]
    ltp, change, percent, volume = ("-" if value is None else str(value) for value in told)
    return f"{price.symbol:<14}{ltp:>12}{change:>10}{percent:>8}%{volume:>12}"


async def _follow(api: Api, symbols: list[str], seconds: int | None, json_: bool) -> bool:
    """True when a price was printed."""
    await Market(api).quotes(symbols)  # a symbol that isn't listed is refused by name
    latest = _Latest(api, json_)
    stream = StreamClient([await api.stream_url()], api.session)
    stream.watch(symbols)
    follow = asyncio.create_task(stream.follow(latest, await latest.reload()))
    prints = asyncio.create_task(latest.print_all())
    try:
        done, _ = await asyncio.wait(
            (follow, prints), timeout=seconds, return_when=asyncio.FIRST_COMPLETED
        )
        for task in done:
            task.result()
    finally:
        for task in (follow, prints):
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(follow, prints, return_exceptions=True)
    return latest.heard
