"""Tells of fills, however many come at once.

Invariant: at most one piece of news of fills is on screen at a time. The first is told at once;
what comes while it stands is told together when it goes.
"""

from collections.abc import Callable

from tui.client.models import Fill
from tui.state.account import in_words

NEWS_LASTS_S = 5.0


class FillNews:
    """`tell` is a screen's `notify`; `after` calls back once, so many seconds later."""

    def __init__(
        self, tell: Callable[..., object], after: Callable[[float, Callable[[], None]], object]
    ) -> None:
        self._tell = tell
        self._after = after
        self._untold: list[Fill] = []
        self._is_shown = False

    def add(self, fills: list[Fill]) -> None:
        """Take new fills, oldest first."""
        self._untold += fills
        if self._untold and not self._is_shown:
            self._tell_all()

    def _tell_all(self) -> None:
        self._is_shown = bool(self._untold)
        if self._untold:
            self._tell(in_words(self._untold), timeout=NEWS_LASTS_S, markup=False)
            self._untold = []
            self._after(NEWS_LASTS_S, self._tell_all)
