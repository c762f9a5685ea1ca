"""What stands between the bars and the keys, in one of three arrangements by the screen's size."""

from textual.app import ComposeResult
from textual.containers import Container
from textual.geometry import Size

from tui.widgets.blotter import Blotter
from tui.widgets.books import Books
from tui.widgets.plans import Plans
from tui.widgets.ticket import Ticket
from tui.widgets.waiting import Waiting
from tui.widgets.watchlist import Watchlist

COMPACT_BELOW = (100, 30)
WIDE_FROM = (170, 40)


class Panes(Container):
    """Watchlist, ticket, orders and books; or, with the screen's class -desk, orders beside what
    waits and plans. Where each stands is in styles/layout.tcss."""

    def __init__(self, mode: str) -> None:
        super().__init__(id="panes")
        self._mode = mode

    def compose(self) -> ComposeResult:
        yield Watchlist()
        yield Ticket(self._mode)
        yield Blotter()
        yield Books()
        yield Waiting()
        yield Plans()

    def arrange_for(self, size: Size) -> None:
        """Arrange the panes for a screen of `size`; on a wide one the books come before the orders,
        which need the whole width below them."""
        width, height = size
        is_wide = width >= WIDE_FROM[0] and height >= WIDE_FROM[1]
        self.screen.set_class(width < COMPACT_BELOW[0] or height < COMPACT_BELOW[1], "-compact")
        self.screen.set_class(is_wide, "-wide")
        books = self.query_one(Books)
        first = self.children.index(books) < self.children.index(self.query_one(Blotter))
        if is_wide and not first:
            self.move_child(books, before=self.query_one(Blotter))
        elif first and not is_wide:
            self.move_child(books, after=self.query_one(Blotter))
