from collections.abc import Callable
from decimal import Decimal

from tui.client.models import Fill
from tui.fill_news import NEWS_LASTS_S, FillNews


def _fill(number: int, symbol: str = "ITC", side: str = "BUY", price: str = "403.10") -> Fill:
    return Fill(
        order_id="1",
        symbol=symbol,
        side=side,
        quantity=10,
        price=Decimal(price),
        exec_id=f"E{number}",
        user_seq=number,
    )


class Screen:
    """Keeps what it was told, and calls back when the test says so."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.due: list[Callable[[], None]] = []

    def notify(self, words: str, **options: object) -> None:
        assert options["markup"] is False
        self.told.append(words)

    def set_timer(self, after_s: float, callback: Callable[[], None]) -> None:
        assert after_s == NEWS_LASTS_S
        self.due.append(callback)


def test_a_burst_of_fills_is_two_pieces_of_news() -> None:
    screen = Screen()
    news = FillNews(screen.notify, screen.set_timer)
    for number in range(110):
        news.add([_fill(number, price="403.10" if number % 2 else "403.20")])

    assert screen.told == ["Bought 10 ITC at ₹403.20"]
    screen.due.pop()()
    assert screen.told[1:] == ["Bought 1,090 ITC at ₹403.15 on average, in 109 fills"]
    screen.due.pop()()
    news.add([_fill(200, side="SELL")])
    assert screen.told[2:] == ["Sold 10 ITC at ₹403.10"]
    assert len(screen.due) == 1


def test_fills_of_several_symbols_are_counted() -> None:
    screen = Screen()
    news = FillNews(screen.notify, screen.set_timer)
    news.add([_fill(1), _fill(2, side="SELL")])
    news.add([_fill(number, symbol) for number, symbol in enumerate(["TCS", "ITC"], 3)])
    screen.due.pop()()
    news.add([_fill(number, symbol) for number, symbol in enumerate(["A", "B", "C", "D", "A"], 5)])
    screen.due.pop()()

    assert screen.told == [
        "2 fills of ITC, bought and sold",
        "2 fills of ITC, TCS",
        "5 fills of A, B, C and 1 more",
    ]
