"""What a user does, for the rules of the fraud watch: times in seconds, prices in rupees."""

from itertools import count

from functions.shared.domain.surveillance.desk import Desk
from functions.shared.domain.surveillance.findings import Finding, Rule
from functions.shared.domain.surveillance.pumping import DayFigures, StockFigures
from functions.shared.domain.surveillance.watched import (
    Asked,
    Ended,
    Happening,
    MoneyOut,
    Placed,
    Told,
    Traded,
)

DAY = "2026-11-23"
SECOND = 1_000_000
USER = 7
THIN_VALUE = 100_000_000  # paise a day: ten lakh rupees


class Watched:
    """One desk, on which users act second by second."""

    def __init__(self, links: dict[int, frozenset[int]] | None = None, thin: bool = False) -> None:
        self.stocks: dict[tuple[str, str], StockFigures] = {}
        if thin:
            history = [DayFigures(10_000, THIN_VALUE, 1_010_000, 1_000_000) for _ in range(10)]
            self.stocks["ACME", DAY] = StockFigures(history=history)
        self.desk = Desk({}, self.stocks, links or {})
        self.found: list[Finding] = []
        self.now = 0
        self._numbers = count(1)

    def rules(self) -> list[Rule]:
        return [finding.rule for finding in self.found]

    def take(self, happening: Happening, user: int = USER) -> list[Finding]:
        found = self.desk.take(user, happening)
        self.found += found
        return found

    def trade(
        self, side: str, quantity: int, rupees: float = 100, *, user: int = USER, day: str = DAY
    ) -> list[Finding]:
        self.now += 1
        price = round(rupees * 10_000)
        value = quantity * price // 100
        number = next(self._numbers)
        return self.take(
            Traded(day, self.now * SECOND, number, "ACME", side, quantity, value, price, True), user
        )

    def place(self, side: str, quantity: int) -> int:
        number = next(self._numbers)
        self.take(Placed(DAY, self.now * SECOND, number, "ACME", side, quantity))
        return number

    def cancel(self, order: int, after: int, *, filled: int = 0, by_client: bool = True) -> None:
        self.now += after
        self.take(Asked(DAY, self.now * SECOND, order, "ACME"))
        self.take(Ended(DAY, self.now * SECOND, order, filled, by_client))

    def told(self, action: str, *, new: bool = False, times: int = 0, day: str = DAY) -> None:
        self.now += 1
        self.take(Told(day, self.now * SECOND, action, new, times, "IN"))

    def withdraw(self, percent: int, day: str = DAY) -> None:
        self.now += 1
        self.take(MoneyOut(day, self.now * SECOND, percent, 100))
