"""Symbols in the command palette: what is typed is searched at the broker, a hit opens its chart.

Invariant: the palette asks once typing pauses, and never says more of a failure than that nothing
was found: actions stay at hand while the broker is away.
"""

import asyncio
from collections.abc import Callable
from functools import partial

from textual.command import Hit, Hits, Provider

from outcry_client.errors import SignedOutError
from tui.client.broker import RefusedError, UnreachableError
from tui.client.prices import Found, SearchHit
from tui.messages import SessionEnded
from tui.screens.search import PAUSE_S
from tui.screens.trading import TradingScreen
from tui.state import formats

ACTIONS_FIRST = 0.5
"""Below the score of an action whose name is typed in full."""


class SymbolPalette(Provider):
    """Offers what the broker's search finds, over the trading screen alone."""

    async def search(self, query: str) -> Hits:
        screen = self.screen
        text = query.strip()
        if not isinstance(screen, TradingScreen) or not text:
            return
        await asyncio.sleep(PAUSE_S)
        try:
            found: Found = await screen.find(text)
        except SignedOutError as ended:
            screen.post_message(SessionEnded(str(ended)))
            return
        except (RefusedError, UnreachableError):
            return
        for place, hit in enumerate(found.items):
            open_chart: Callable[[], None] = partial(screen.open_chart, hit.symbol)
            yield Hit(ACTIONS_FIRST - place / 100, _shown(hit), open_chart, help=hit.name)


def _shown(hit: SearchHit) -> str:
    return f"{hit.symbol}  {formats.amount(hit.ltp)}"
