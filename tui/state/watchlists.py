"""The user's watchlists as the terminal knows them, and what one edit makes of a list.

Invariant: an edit is about one symbol, so it can be made again on whatever another device has made
of the list meanwhile; the list that is shown stays shown as long as it exists.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from tui.client.prices import KeptWatchlist


class Edit(NamedTuple):
    symbol: str
    is_added: bool


@dataclass(frozen=True, slots=True)
class Watchlists:
    """In the user's order; `shown_id` is the one on screen."""

    lists: tuple[KeptWatchlist, ...] = ()
    shown_id: str = ""

    @property
    def shown(self) -> KeptWatchlist | None:
        return next((each for each in self.lists if each.watchlist_id == self.shown_id), None)

    @property
    def title(self) -> str:
        """The shown list's name, and its place when there are others."""
        shown = self.shown
        if shown is None:
            return "Watchlist"
        if len(self.lists) == 1:
            return shown.name
        return f"{shown.name} · {self.lists.index(shown) + 1}/{len(self.lists)}"

    def beside(self, step: int) -> "Watchlists":
        """With the next list shown, around the end."""
        if self.shown is None:
            return self
        place = (self.lists.index(self.shown) + step) % len(self.lists)
        return replace(self, shown_id=self.lists[place].watchlist_id)

    def told(self, lists: Sequence[KeptWatchlist], shown_id: str = "") -> "Watchlists":
        """With what the broker has now; `shown_id` is shown, else what was, else the first."""
        known = [each.watchlist_id for each in lists]
        wished = [each for each in (shown_id, self.shown_id, *known) if each in known]
        return Watchlists(tuple(lists), wished[0] if wished else "")


def edited(symbols: Sequence[str], edit: Edit) -> list[str]:
    """What is added comes last, and only once."""
    if edit.is_added:
        return [*symbols, *([] if edit.symbol in symbols else [edit.symbol])]
    return [each for each in symbols if each != edit.symbol]
