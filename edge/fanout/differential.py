"""Differential updates: what a subscription with a `min_move` need not be told of at once.

Invariant: a change of the last price by `min_move` or more, against the price last shown, passes at
once; a smaller one, or a change of other fields alone, is shown HELD_SECONDS after the first one
that was held, with the values that are the newest then. With the pass over the groups that is less
than a second. All who ask for the same `min_move` of a symbol share a view, and with it the price
that was last shown; a newcomer's snapshot is that price for everybody.
"""

from collections import deque
from collections.abc import Iterator
from typing import Final

from edge.fanout.views import Feed, View
from functions.shared.wire.quotes import Quote

HELD_SECONDS: Final = 0.8


class HeldView(View):
    """A view whose small changes wait. `shown`: the last price told of, 0 before the first; `due`:
    when `held` goes out, in monotonic seconds, 0 while that is not known or nothing is held."""

    __slots__ = ("due", "held", "shown")

    def __init__(self, symbol: str, feed: Feed) -> None:
        super().__init__(symbol, feed)
        self.shown = 0
        self.held: Quote | None = None
        self.due = 0.0

    def told(self, quote: Quote) -> None:
        """This quote is shown; nothing is held any more."""
        self.shown, self.held, self.due = quote.ltp, None, 0.0


class HeldBack:
    """The views of one hub that hold small changes back; at most `per_symbol` of a symbol."""

    def __init__(self, per_symbol: int) -> None:
        self.by_symbol: dict[str, list[HeldView]] = {}
        self._per_symbol = per_symbol
        self._fresh: list[HeldView] = []
        self._waiting: deque[tuple[float, HeldView]] = deque()

    def views(self) -> list[HeldView]:
        """Every such view now."""
        return [view for views in self.by_symbol.values() for view in views]

    def watch(self, symbol: str, feed: Feed, quote: Quote | None) -> HeldView | None:
        """The view of a feed with a `min_move`; None when the symbol has as many as it may have.

        `quote` is what the newcomer's snapshot tells.
        """
        views = self.by_symbol.get(symbol, [])
        view = next((each for each in views if each.feed == feed), None)
        if view is None and len(views) < self._per_symbol:
            view = HeldView(symbol, feed)
            self.by_symbol[symbol] = [*views, view]
            if quote is not None:
                view.told(quote)
        return view

    def unwatched(self, view: HeldView) -> None:
        """Nobody watches the view any more."""
        views = self.by_symbol[view.symbol]
        views.remove(view)
        view.held = None
        if not views:
            del self.by_symbol[view.symbol]

    def passing(self, quote: Quote) -> Iterator[HeldView]:
        """Takes a quote of a symbol in `by_symbol`: the views that are shown it at once."""
        for view in self.by_symbol[quote.symbol]:
            if not view.shown or abs(quote.ltp - view.shown) >= view.feed.min_move:
                yield view
                continue
            if view.held is None:
                self._fresh.append(view)
            view.held = quote

    def due(self, now: float) -> Iterator[tuple[HeldView, Quote]]:
        """What has been held for HELD_SECONDS; `now` in monotonic seconds, asked each tick."""
        if self._fresh:
            ends = now + HELD_SECONDS
            for view in self._fresh:
                if view.held is not None and not view.due:
                    view.due = ends
                    self._waiting.append((ends, view))
            self._fresh.clear()
        while self._waiting and self._waiting[0][0] <= now:
            due, view = self._waiting.popleft()
            if view.due == due and view.held is not None:  # else it was shown meanwhile
                yield view, view.held
