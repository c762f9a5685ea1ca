"""The two programs that the stage `terminal` measures, each in a process and on a pty of its own.

`ours` is the shipped application on its shipped stream client; only the HTTP side answers from
memory. `plain` shows the same messages in Textual's DataTable, a cell at a time as they come.
"""

import asyncio
import random
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
from textual.app import App, ComposeResult
from textual.widgets import DataTable
from websockets.asyncio.client import connect

from outcry_client.protocol import SUBPROTOCOL, subscribe
from tests.support.terminal import RecordingBroker
from tui.app import Terminal
from tui.client.models import Holding, Position, Quote
from tui.client.protocol import decode
from tui.client.stream import StreamFeed
from tui.settings import TerminalSettings
from tui.state import formats
from tui.widgets.watchlist import COLUMNS

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


class OwnTokens:
    """Fulfils the stream's `TokenSource`; the source of prices takes any token."""

    async def bearer(self) -> str:
        return "bench"

    async def renew(self, refused: str) -> None:
        pass


class FlatBroker(RecordingBroker):
    """An account without holdings or positions, whose watchlist alone has prices."""

    async def holdings(self) -> list[Holding]:
        return []

    async def positions(self) -> list[Position]:
        return []


class BenchFeed(StreamFeed):
    """The shipped feed; its address is the source's."""

    def __init__(self, url: str) -> None:
        async def addresses() -> str:
            return url

        super().__init__(addresses, OwnTokens(), rng=random.Random(1))  # type: ignore[arg-type]


def ours(url: str, symbols: Sequence[str], home: Path) -> App[None]:
    """The shipped terminal, signed in by itself, with `symbols` on its watchlist."""
    home.mkdir(parents=True, exist_ok=True)
    (home / "watchlist.json").write_bytes(msgspec.json.encode(list(symbols)))
    settings = TerminalSettings(
        api_url="http://127.0.0.1:9", home=home, mode="PAPER", username="bench",
        password="bench", totp_secret=SECRET,
    )  # fmt: skip
    return Terminal(settings, FlatBroker(), BenchFeed(url))


class PlainTable(App[None]):
    """What one would write first: each changed figure put into its cell as it arrives."""

    def __init__(self, url: str, symbols: Sequence[str]) -> None:
        super().__init__()
        self._url = url
        self._symbols = symbols

    def compose(self) -> ComposeResult:
        yield DataTable(cursor_type="row")

    def on_mount(self) -> None:
        table = self.query_one(DataTable)
        for column in COLUMNS:
            table.add_column(column.title, width=column.width, key=column.title)
        for symbol in self._symbols:
            table.add_row(symbol, *([formats.NOTHING] * (len(COLUMNS) - 1)), key=symbol)
        table.focus()
        self.run_worker(self._follow())

    async def _follow(self) -> None:
        async with connect(self._url, subprotocols=[SUBPROTOCOL], compression=None) as socket:  # type: ignore[list-item]
            await socket.send(subscribe(self._symbols))
            async for text in socket:
                for message in decode(text):
                    if isinstance(message, Quote):
                        self._show(message)

    def _show(self, quote: Quote) -> None:
        table = self.query_one(DataTable)
        for title, text in zip(
            (column.title for column in COLUMNS[1:]), _texts(quote), strict=True
        ):
            if table.get_cell(quote.symbol, title) != text:
                table.update_cell(quote.symbol, title, text)


def _texts(quote: Quote) -> tuple[str, ...]:
    return (
        formats.amount(quote.ltp),
        formats.signed(quote.change),
        formats.percent(quote.change_percent),
        formats.amount(quote.open),
        formats.amount(quote.high),
        formats.amount(quote.low),
        formats.volume(quote.volume),
    )


def main(kind: str, url: str, home: str, *symbols: str) -> None:
    """Run one of the two until it is killed."""
    build: dict[str, Callable[[], App[None]]] = {
        "ours": lambda: ours(url, symbols, Path(home)),
        "plain": lambda: PlainTable(url, symbols),
    }
    asyncio.run(build[kind]().run_async())


if __name__ == "__main__":
    main(*sys.argv[1:])
