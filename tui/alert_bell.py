"""Keeps the session's alerts, and tells of new ones: a line that goes by itself, and a count in the
frame until the list has been opened."""

from collections.abc import Callable, Iterable
from datetime import datetime

from tui.state.alerts import Alerts, News, add, read

TOLD_S = 8.0


class AlertBell:
    """`tell` is a screen's `notify`; `count` shows how many have not been looked at."""

    def __init__(self, tell: Callable[..., object], count: Callable[[int], object]) -> None:
        self._tell = tell
        self._count = count
        self.alerts = Alerts()

    def ring(self, news: Iterable[News], at: datetime | None) -> None:
        """Take news at `at`, business time; several at once are told in one line."""
        self.alerts, fresh = add(self.alerts, news, at)
        if not fresh:
            return
        last = fresh[-1]
        more = f" · {len(fresh) - 1} more, press a" if len(fresh) > 1 else ""
        severity = "warning" if any(each.is_bad for each in fresh) else "information"
        self._tell(last.message + more, severity=severity, timeout=TOLD_S, markup=False)
        self._count(self.alerts.unread)

    def look(self) -> Alerts:
        """Hand the alerts over to be read."""
        self.alerts = read(self.alerts)
        self._count(0)
        return self.alerts
