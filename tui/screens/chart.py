"""One symbol's chart over the whole screen: candles, volume, averages, the user's trades.

Invariant: candles are asked for once a range and again each minute; between, the last one follows
the live price. What can't be had is said in the chart's place, and a chart that is there stays.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import date, timedelta
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Footer, Static

from outcry_client.errors import SignedOutError
from tui.actions import CHART, bindings
from tui.client.broker import Broker, RefusedError, UnreachableError
from tui.client.models import Fill
from tui.messages import SessionEnded
from tui.state import formats
from tui.state.chart import AVERAGES, NO_CANDLES, Chart, Range, moved, told
from tui.state.quotes import Board
from tui.state.search import Pick, Purpose
from tui.widgets.chart import MEAN_TONES, CandleChart
from tui.widgets.live_table import tone

LOOKS_PER_S = 4
READ_EVERY_S = 60.0
_TONES = {"up": "$success", "down": "$error", "faint": "$faint"}
_MEANS = {"accent": "$primary", "warn": "$warning"}


class ChartScreen(ModalScreen[Pick | None]):
    """Returns what the symbol was picked for, None to go back."""

    BINDINGS: ClassVar[list[BindingType]] = bindings(CHART)

    def __init__(
        self,
        symbol: str,
        broker: Broker,
        board: Callable[[], Board],
        watch: Callable[[Iterable[str]], None],
        add: Callable[[str], str],
        today: date,
        fills: tuple[Fill, ...],
    ) -> None:
        """As SearchScreen; `today` is the day of the market's clock, `fills` the user's trades."""
        super().__init__()
        self._broker = broker
        self._board = board
        self._watch = watch
        self._add = add
        self._today = today
        self._chart = Chart(symbol, fills=fills)

    def compose(self) -> ComposeResult:
        with Horizontal(id="chart-head"):
            yield Static(id="chart-price")
            yield Static(id="chart-ranges")
        yield Static(id="chart-figures", markup=False)
        yield CandleChart()
        yield Static(id="chart-remark", classes="-none", markup=False)
        yield Footer(compact=True, show_command_palette=False)

    def on_mount(self) -> None:
        self._watch([self._chart.symbol])
        self.set_interval(1 / LOOKS_PER_S, self._look)
        self.set_interval(READ_EVERY_S, self._read)
        self.query_one(CandleChart).focus()
        self._change(Range.DAY)

    def action_range(self, step: int) -> None:
        self._change(self._chart.span.beside(step))

    def action_to_range(self, label: str) -> None:
        self._change(next(each for each in Range if each.label == label))

    def _change(self, span: Range) -> None:
        self._chart = Chart(self._chart.symbol, span, fills=self._chart.fills)
        ranges = (
            f"[reverse] {each.label} [/]"
            if each is span
            else f"[@click=screen.to_range('{each.label}')] {each.label} [/]"
            for each in Range
        )
        means = "  ".join(
            f"[{_MEANS[tone]}]• MA{over}[/]"
            for tone, over in zip(MEAN_TONES, AVERAGES, strict=True)
        )
        self.query_one("#chart-ranges", Static).update(f"{means}   {''.join(ranges)}")
        self._look()
        self._read()

    @work(exclusive=True, group="candles")
    async def _read(self) -> None:
        span = self._chart.span
        first = self._today - timedelta(days=span.days)
        try:
            candles = await self._broker.candles(self._chart.symbol, span.interval, first)
        except SignedOutError as ended:
            self.post_message(SessionEnded(str(ended)))
        except RefusedError as error:
            said = NO_CANDLES if error.problem.code == "NO_CANDLES" else str(error)
            self._fail(said)
        except UnreachableError as error:
            self._fail(f"Candles can't be read: {error}")
        else:
            self._chart = told(self._chart, candles)
            self._remark("")
            self._look()

    def _fail(self, why: str) -> None:
        """Without candles it is said in their place, else under those that were read before."""
        self._chart = replace(self._chart, remark=why)
        self._remark(why if self._chart.candles else "")
        self._look()

    def _remark(self, text: str) -> None:
        remark = self.query_one("#chart-remark", Static)
        remark.update(text)
        remark.set_class(not text, "-none")

    def _look(self) -> None:
        """Show the live price, and the last candle at it."""
        board, symbol = self._board(), self._chart.symbol
        price = board.prices.get(symbol)
        is_live = board.is_live([symbol])
        if price is not None and is_live:
            self._chart = moved(self._chart, price.quote)
        colour = _TONES[tone(board.change(symbol)) if is_live else "faint"]
        parts: list[tuple[str, str]] = [(f" {symbol}  ", "bold")]
        if price is not None:
            parts += [
                (formats.amount(price.quote.ltp), "bold" if is_live else "$faint"),
                (f"  {formats.signed(price.quote.change)}", colour),
                (f"  {formats.percent(price.quote.change_percent)}", colour),
            ]
            if not is_live:
                parts.append(("  stale", "$warning"))
        self.query_one("#chart-price", Static).update(Content.assemble(*parts))
        self.query_one(CandleChart).show(self._chart)

    @on(CandleChart.Pointed)
    def _pointed(self, message: CandleChart.Pointed) -> None:
        self.query_one("#chart-figures", Static).update(f" {message.text}")

    def action_buy(self) -> None:
        self.dismiss(Pick(self._chart.symbol, Purpose.BUY))

    def action_sell(self) -> None:
        self.dismiss(Pick(self._chart.symbol, Purpose.SELL))

    def action_add(self) -> None:
        self.notify(self._add(self._chart.symbol), markup=False)

    def action_dismiss_screen(self) -> None:
        """The crosshair goes first."""
        if not self.query_one(CandleChart).clear_crosshair():
            self.dismiss(None)
