"""A contract note as printed pages: A4, the built-in Latin fonts, the note's own facts alone.

Invariant: the same version of a note gives the same bytes, whenever and wherever it is drawn. Every
figure is text that `render_note` made, so the page can't differ from the JSON.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, Literal, cast

from fpdf import FPDF
from fpdf.enums import TableBordersLayout, XPos, YPos
from fpdf.fonts import FontFace

from functions.shared.clock import INDIA
from functions.shared.wire.contract_notes import HEAD_NAMES

_INK: Final = (24, 32, 44)
_FAINT: Final = (104, 116, 132)
_RULE: Final = (205, 212, 220)
_BAND: Final = (240, 243, 247)
_ACCENT: Final = (0, 92, 138)
_MARGIN: Final = 16.0
_LINE: Final = 5.4
_TABLE_SIZE: Final = 8.0

Align = Literal["LEFT", "RIGHT"]
#: Of a column: its heading, its share of the width, its alignment.
Column = tuple[str, int, Align]

_SECURITIES: Final[tuple[Column, ...]] = (
    ("Security", 19, "LEFT"), ("Bought", 10, "RIGHT"), ("Average", 13, "RIGHT"),
    ("Buy value", 17, "RIGHT"), ("Sold", 10, "RIGHT"), ("Average", 13, "RIGHT"),
    ("Sell value", 17, "RIGHT"), ("Squared off", 15, "RIGHT"), ("Delivered", 13, "RIGHT"),
    ("STT", 13, "RIGHT"),
)  # fmt: skip
_ORDERS: Final[tuple[Column, ...]] = (
    ("Order", 26, "LEFT"), ("Security", 20, "LEFT"), ("Product", 10, "LEFT"), ("Side", 9, "LEFT"),
    ("Quantity", 12, "RIGHT"), ("Average price", 16, "RIGHT"), ("Value", 18, "RIGHT"),
)  # fmt: skip
_EXPLANATION: Final = (
    "Amounts are in rupees. Delivered shares are positive into the account. Securities transaction "
    "tax is on squared-off and on delivered shares apart, at the average price of all the day's "
    "trades in a security, in whole rupees; stamp duty is on shares bought, in whole rupees on the "
    "day's total. GST is on brokerage, exchange charges and the SEBI fee. The depository's charge "
    "for shares sold is booked apart and is not part of this note."
)


class _Page(FPDF):
    """Every page's head and foot."""

    def __init__(self, number: str) -> None:
        super().__init__(format="A4", unit="mm")
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

    def heading(self, text: str) -> None:
        self.ln(5)
        self._text(text, 10.5, bold=True, color=_ACCENT)
        self.ln(1.5)

    def sums(self, rows: Sequence[tuple[str, str]]) -> None:
        """Names on the left half of the page, amounts right of them; the last one is the result."""
        width = 96.0
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
        """A table over the whole width; its head is repeated on each page."""
        self.set_font("Helvetica", "", _TABLE_SIZE)
        self.set_text_color(*_INK)
        self.set_draw_color(*_RULE)
        head = FontFace(emphasis="BOLD", color=_FAINT, fill_color=_BAND)
        with self.table(
            borders_layout=TableBordersLayout.HORIZONTAL_LINES,
            col_widths=tuple(share for _, share, _ in columns),
            text_align=tuple(align for _, _, align in columns),
            headings_style=head,
            line_height=_LINE,
            padding=(0.3, 0.8),
        ) as table:
            table.row([name for name, _, _ in columns])
            for cells in rows:
                table.row(list(cells))


def draw_note(note: dict[str, object], written_at: datetime) -> bytes:
    """The page of a note that `render_note` rendered; `written_at` is the version's own time."""
    fields = cast(dict[str, Any], note)
    page = _Page(fields["number"])
    page.set_creation_date(written_at)
    page.add_page()
    page.facts(
        [
            ("Account", fields["account"]),
            ("Trade date", f"{datetime.fromisoformat(fields['trade_date']):%d %B %Y}"),
            ("Version", str(fields["version"])),
            ("Written", f"{written_at.astimezone(INDIA):%d %B %Y, %H:%M} IST"),
        ]
    )
    page.heading("Securities")
    page.listing(_SECURITIES, [_security(line) for line in fields["securities"]])
    page.heading("Charges and settlement")
    page.sums(_settlement(fields))
    page.heading("Orders")
    page.listing(_ORDERS, [_order(order) for order in fields["orders"]])
    more = fields["orders_total"] - len(fields["orders"])
    page.ln(3)
    page.set_font("Helvetica", "", 7.5)
    page.set_text_color(*_FAINT)
    if more:
        page.multi_cell(0, 3.6, f"{more} more orders; the totals are of all of them.")
        page.ln(1)
    page.multi_cell(0, 3.6, _EXPLANATION)
    return bytes(page.output())


def _security(line: dict[str, Any]) -> list[str]:
    return [
        line["symbol"], _count(line["bought"]), line["buy_average"] or "-",
        grouped(line["buy_value"]), _count(line["sold"]), line["sell_average"] or "-",
        grouped(line["sell_value"]), _count(line["squared_off"]), _count(line["delivered"]),
        grouped(line["stt"]),
    ]  # fmt: skip


def _order(order: dict[str, Any]) -> list[str]:
    return [
        order["order_id"], order["symbol"], order["product"], order["side"],
        _count(order["quantity"]), order["average_price"], grouped(order["value"]),
    ]  # fmt: skip


def _settlement(note: dict[str, Any]) -> list[tuple[str, str]]:
    charges = note["charges"]
    pays = note["net_amount"].startswith("-")
    return [
        ("Bought", grouped(note["buy_value"])),
        ("Sold", grouped(note["sell_value"])),
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
