"""A contract note as printed pages: A4 across, built-in Latin fonts, the note's own facts alone.

The columns are those that Indian contract notes have: each trade with the numbers and times of its
order and of itself, ISIN, gross rate, brokerage, net rate and net total; then what each security
came to, the obligation, and every levy. Times are India's.

Invariant: the same version of a note gives the same bytes, whenever and wherever it is drawn. Every
figure is text that `render_note` made, so the page can't differ from the JSON.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, Literal, cast

from fpdf import FPDF
from fpdf.enums import XPos, YPos

from functions.shared.clock import INDIA
from functions.shared.wire.contract_notes import HEAD_NAMES

_INK: Final = (24, 32, 44)
_FAINT: Final = (104, 116, 132)
_RULE: Final = (205, 212, 220)
_BAND: Final = (240, 243, 247)
_ACCENT: Final = (0, 92, 138)
_MARGIN: Final = 14.0
_LINE: Final = 5.4
_TABLE_LINE: Final = 3.6
#: Of a line's height, where its letters stand.
_BASELINE: Final = 0.72
_PAD: Final = 0.8
_TABLE_SIZE: Final = 7.5

Align = Literal["LEFT", "RIGHT"]
#: Of a column: its heading, its share of the width, its alignment.
Column = tuple[str, int, Align]
#: A column on the page: its width in millimetres, its alignment.
Place = tuple[float, Align]

_TRADES: Final[tuple[Column, ...]] = (
    ("Order no.", 34, "LEFT"), ("Order time", 21, "LEFT"), ("Trade no.", 32, "LEFT"),
    ("Trade time", 21, "LEFT"), ("Security", 30, "LEFT"), ("Buy / sell", 13, "LEFT"),
    ("Quantity", 17, "RIGHT"), ("Gross rate\nper unit", 22, "RIGHT"),
    ("Brokerage\nper unit", 21, "RIGHT"), ("Net rate\nper unit", 24, "RIGHT"),
    ("Net total\nbefore levies", 26, "RIGHT"),
)  # fmt: skip
_SECURITIES: Final[tuple[Column, ...]] = (
    ("Security", 26, "LEFT"), ("ISIN", 26, "LEFT"), ("Bought", 18, "RIGHT"),
    ("Average", 23, "RIGHT"), ("Buy value", 31, "RIGHT"), ("Sold", 18, "RIGHT"),
    ("Average", 23, "RIGHT"), ("Sell value", 31, "RIGHT"), ("Squared off", 20, "RIGHT"),
    ("Delivered", 20, "RIGHT"), ("STT", 20, "RIGHT"),
)  # fmt: skip
_EXPLANATION: Final = (
    "Amounts are in rupees, times are India's. An order's number is the exchange's, with ours "
    "below it. What is below zero is paid by you. Brokerage per unit is an order's brokerage, "
    "shared out over its trades by value. Delivered shares are positive into the account. "
    "Securities transaction tax is on squared-off and on delivered shares apart, at the average "
    "price of all the day's trades in a security, in whole rupees; stamp duty is on shares bought, "
    "in whole rupees on the day's total. GST is on brokerage, exchange charges and the SEBI fee. "
    "The depository's charge for shares sold and the fee for each order that squared a position "
    "off are booked apart and are not part of this note."
)


class _Page(FPDF):
    """Every page's head and foot."""

    def __init__(self, number: str) -> None:
        super().__init__(orientation="landscape", format="A4", unit="mm")
        self._number = number
        self.set_margin(_MARGIN)
        self.set_auto_page_break(True, margin=20)
        self.set_title(f"Contract note {number}")
        self.set_creator("Outcry")
        self.alias_nb_pages()

    def header(self) -> None:
        self.set_fill_color(*_ACCENT)
        self.rect(0, 0, self.w, 3, style="F")
        self.set_y(11)
        self._text("OUTCRY", 15, bold=True, color=_ACCENT)
        self.set_y(11)
        self._text("Contract note", 15, align="R")
        self._text(self._number, 8.5, align="R", color=_FAINT)
        self.ln(4)

    def footer(self) -> None:
        self.set_y(-14)
        where = f"Contract note {self._number}, page {self.page_no()} of {{nb}}"
        self._text(where, 7.5, color=_FAINT)

    def _text(
        self,
        text: str,
        size: float,
        *,
        bold: bool = False,
        align: str = "L",
        color: tuple[int, int, int] = _INK,
    ) -> None:
        self.set_font("Helvetica", "B" if bold else "", size)
        self.set_text_color(*color)
        self.cell(0, size * 0.45, text, align=align, new_x=XPos.LMARGIN, new_y=YPos.NEXT)

    def heading(self, text: str, with_next: float = 3 * _LINE) -> None:
        """On the next page when what follows doesn't fit below it on this one."""
        self.ln(5)
        if self.will_page_break(with_next):
            self.add_page()
        self._text(text, 10.5, bold=True, color=_ACCENT)
        self.ln(1.5)

    def remark(self, text: str) -> None:
        self.ln(3)
        self.set_font("Helvetica", "", 7.5)
        self.set_text_color(*_FAINT)
        self.multi_cell(0, 3.6, text, new_x=XPos.LMARGIN, new_y=YPos.NEXT)

    def sums(self, rows: Sequence[tuple[str, str]]) -> None:
        """Names on the left half of the page, amounts right of them; the last one is the result."""
        width = 110.0
        for place, (name, text) in enumerate(rows):
            bold = place == len(rows) - 1
            self.set_draw_color(*(_INK if bold else _RULE))
            self.set_text_color(*_INK)
            self.set_font("Helvetica", "B" if bold else "", 9)
            border = "T" if bold else "B"
            self.cell(width - 34, _LINE + 0.4, name, border=border)
            self.cell(
                34, _LINE + 0.4, text, border=border, align="R",
                new_x=XPos.LMARGIN, new_y=YPos.NEXT,
            )  # fmt: skip

    def facts(self, rows: Sequence[tuple[str, str]]) -> None:
        """Side by side from margin to margin, a small name above each, with even gaps."""
        self.set_font("Helvetica", "B", 10)
        widths = [self.get_string_width(text) + 2 * self.c_margin for _, text in rows]
        gap = (self.epw - sum(widths)) / (len(rows) - 1)
        top, left = self.get_y(), self.l_margin
        for (name, text), width in zip(rows, widths, strict=True):
            self.set_xy(left, top)
            left += width + gap
            self.set_font("Helvetica", "", 7.5)
            self.set_text_color(*_FAINT)
            self.cell(width, 4, name, new_x=XPos.LEFT, new_y=YPos.NEXT)
            self.set_font("Helvetica", "B", 10)
            self.set_text_color(*_INK)
            self.cell(width, 5, text)
        self.set_xy(self.l_margin, top + 10)

    def listing(self, columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> None:
        """A table over the whole width; its head is repeated on each page. A line of a cell ends
        where the text says so, or where the column does. (fpdf's own tables look for words to
        break at, and take ten times as long.)"""
        shares = sum(share for _, share, _ in columns)
        places = [(self.epw * share / shares, align) for _, share, align in columns]
        names = [name for name, _, _ in columns]
        self._head(names, places)
        for cells in rows:
            row = self._laid(cells, places)
            if self.will_page_break(_height(row)):
                self.add_page()
                self._head(names, places)
            self._row(row, places)

    def _head(self, names: Sequence[str], places: Sequence[Place]) -> None:
        self.set_font("Helvetica", "B", _TABLE_SIZE)
        row = self._laid(names, places)
        self.set_fill_color(*_BAND)
        self.rect(self.l_margin, self.get_y(), self.epw, _height(row), style="F")
        self.set_text_color(*_FAINT)
        self._row(row, places)
        self.set_font("Helvetica", "", _TABLE_SIZE)
        self.set_text_color(*_INK)

    def _row(self, row: Sequence[Sequence[str]], places: Sequence[Place]) -> None:
        """Each cell's lines, around the middle of the row."""
        top, left, height = self.get_y(), self.l_margin, _height(row)
        for lines, (width, align) in zip(row, places, strict=True):
            first = top + (height - len(lines) * _TABLE_LINE) / 2
            for number, line in enumerate(lines):
                free = width - 2 * _PAD - self.get_string_width(line)
                start = left + _PAD + (free if align == "RIGHT" else 0)
                self.text(start, first + (number + _BASELINE) * _TABLE_LINE, line)
            left += width
        self.set_draw_color(*_RULE)
        self.line(self.l_margin, top + height, left, top + height)
        self.set_y(top + height)

    def _laid(self, cells: Sequence[str], places: Sequence[Place]) -> list[list[str]]:
        return [
            self._lines(text, width - 2 * _PAD)
            for text, (width, _) in zip(cells, places, strict=True)
        ]

    def _lines(self, text: str, width: float) -> list[str]:
        """The text's lines, cut where they would leave the column."""
        lines = []
        for line in text.split("\n"):
            rest = line
            while self.get_string_width(rest) > width and len(rest) > 1:
                fits = next(
                    n for n in range(len(rest) - 1, 0, -1)
                    if n == 1 or self.get_string_width(rest[:n]) <= width
                )  # fmt: skip
                lines.append(rest[:fits])
                rest = rest[fits:]
            lines.append(rest)
        return lines


def _height(row: Sequence[Sequence[str]]) -> float:
    return max(map(len, row)) * _TABLE_LINE + 2 * _PAD


def draw_note(note: dict[str, object], written_at: datetime) -> bytes:
    """The page of a note that `render_note` rendered; `written_at` is the version's own time."""
    fields = cast(dict[str, Any], note)
    page = _Page(fields["number"])
    page.set_creation_date(written_at)
    page.add_page()
    page.facts(
        [
            ("Account", fields["account"]),
            ("Trade date", _day(fields["trade_date"])),
            ("Settlement no.", fields["settlement_number"] or "not known yet"),
            ("Settlement date", _day(fields["settles_on"])),
            ("Version", str(fields["version"])),
            ("Written", f"{written_at.astimezone(INDIA):%d %B %Y, %H:%M} IST"),
        ]
    )
    page.heading("Trades")
    page.listing(_TRADES, [_trade(trade) for trade in fields["trades"]])
    more = fields["trades_total"] - len(fields["trades"])
    if more:
        page.remark(
            f"{more} more trades, each among the fills of its order; the sums are of all of them."
        )
    page.heading("Securities")
    page.listing(_SECURITIES, [_security(line) for line in fields["securities"]])
    page.heading("Obligation and levies", with_next=12 * _LINE)
    page.sums(_settlement(fields))
    page.remark(_EXPLANATION)
    return bytes(page.output())


def _security(line: dict[str, Any]) -> list[str]:
    return [
        line["symbol"], line["isin"] or "-",
        _count(line["bought"]), grouped(line["buy_average"] or "-"), grouped(line["buy_value"]),
        _count(line["sold"]), grouped(line["sell_average"] or "-"), grouped(line["sell_value"]),
        _count(line["squared_off"]), _count(line["delivered"]), grouped(line["stt"]),
    ]  # fmt: skip


def _trade(trade: dict[str, Any]) -> list[str]:
    return [
        f"{trade['venue_order_id'] or '-'}\n{trade['order_id']}", _moment(trade["ordered_at"]),
        trade["exec_id"], _moment(trade["time"]), f"{trade['symbol']}\n{trade['isin'] or '-'}",
        trade["side"].capitalize(), _count(trade["quantity"]), grouped(trade["price"]),
        trade["brokerage_per_unit"], grouped(trade["net_price"]), grouped(trade["net_total"]),
    ]  # fmt: skip


def _moment(text: str) -> str:
    """The day and the time of day in India, to the millisecond, one below the other."""
    local = datetime.fromisoformat(text).astimezone(INDIA)
    return f"{local:%d %b %Y}\n{local:%H:%M:%S}.{local.microsecond // 1000:03d}"


def _day(text: str) -> str:
    return f"{datetime.fromisoformat(text):%d %B %Y}"


def _settlement(note: dict[str, Any]) -> list[tuple[str, str]]:
    charges = note["charges"]
    pays = note["net_amount"].startswith("-")
    return [
        ("Bought", grouped(note["buy_value"])),
        ("Sold", grouped(note["sell_value"])),
        ("Pay-in or pay-out obligation", grouped(note["obligation"])),
        *((name, grouped(charges[head])) for head, name in HEAD_NAMES.items()),
        ("All charges", grouped(charges["total"])),
        (
            "Net payable by you" if pays else "Net receivable by you",
            grouped(note["net_amount"].removeprefix("-")),
        ),
    ]


def grouped(amount: str) -> str:
    """Lakhs and crores: 1234567.89 is 12,34,567.89."""
    whole, point, fraction = amount.partition(".")
    sign = "-" if whole.startswith("-") else ""
    digits = whole.removeprefix("-")
    head, tail = digits[:-3], digits[-3:]
    while head:
        head, tail = head[:-2], f"{head[-2:]},{tail}"
    return f"{sign}{tail}{point}{fraction}"


def _count(quantity: int) -> str:
    return grouped(str(quantity))
