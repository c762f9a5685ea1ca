"""The line under the frame while the whole market is halted; without a halt it takes no room."""

from datetime import datetime
from typing import ClassVar

from textual.content import Content
from textual.screen import Screen
from textual.widgets import Static

from tui.state.halts import halt_banner
from tui.state.market import MarketClock
from tui.widgets.bars import TitleBar


class HaltBanner(Static):
    """Says what stands, why, and how long still."""

    DEFAULT_CSS: ClassVar[str] = """
    HaltBanner { height: 1; display: none; padding: 0 1; }
    HaltBanner.-stopped { display: block; background: $error; color: $text; }
    HaltBanner.-auction { display: block; background: $warning; color: $text; }
    """

    def show_halt(self, market: MarketClock | None, now: datetime) -> None:
        """Set the line as it is when the terminal's own clock shows `now`."""
        banner = halt_banner(market, now)
        self.set_class(banner is not None and banner.is_stopped, "-stopped")
        self.set_class(banner is not None and not banner.is_stopped, "-auction")
        if banner is not None:
            self.update(Content.from_markup("[b]$head[/]  $detail", head=banner.head,
                                            detail=banner.detail))  # fmt: skip


def show_market(screen: Screen[None], market: MarketClock | None, now: datetime) -> None:
    """What the screen says of the market's time and phase."""
    screen.query_one(TitleBar).show_time(market, now)
    screen.query_one(HaltBanner).show_halt(market, now)
