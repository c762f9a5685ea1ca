"""The order state scenarios of FIX 4.4 volume 4, appendix D, as far as they are about single orders
that we can send, written down as data: what is asked of the venue and what it tells.

The names are the lettered ones of the appendix's later editions; quantities are a hundredth of
theirs. Where the appendix gives branches, the one that our venue's dialect (infra/fix) takes is
here, and both where it may take either.

Left out, because the dialect has no such message or we never send what it begins with: done for day
(150=3; the day's end is 150=C), a replace of a filled order that opens it again (C.1.c, answered
102=0), orders given by telephone (E.1.a), replacements and reductions nobody asked for (150=D is
information), orders that live beyond their day at the venue (H; ours are a chain of orders of a
day), fill or kill (I.1.a), corrections of a day gone by (J.1.c, parked), guarantees (L.1.a) and
orders by value (L.1.b). Of chained replaces (D.2) we send none, since one change is in flight at a
time: what is here instead is our own chain, a cancel that waits behind a replace.
"""

from typing import NamedTuple


class Asked(NamedTuple):
    """We ask the venue for a change: CANCEL or REPLACE."""

    what: str
    quantity: int = 0
    rupees: int = 100


class Told(NamedTuple):
    """The venue's message: an execution report, or with `exec_type` "9" an OrderCancelReject.

    The fields are tags 150, 39, 14, 151, 32 and 31; `of` the number of our request in ClOrdID (0:
    the order); `quantity` tag 38; `code` tag 103 or 102; `name` and `about` letters for tags 17
    and 19; `ours` is where our order stands where that isn't where the venue's does."""

    exec_type: str
    status: str
    cum: int
    leaves: int
    last: int = 0
    rupees: int = 100
    of: int = 0
    quantity: int = 100
    code: int | None = None
    name: str = ""
    about: str = ""
    ours: str = ""


Step = Asked | Told


class Scenario(NamedTuple):
    """An order to buy 100 shares at 100 rupees, or as the side says to sell them, and where it
    ends: status, quantity and what is filled."""

    name: str
    title: str
    steps: tuple[Step, ...]
    ends: tuple[str, int, int]
    side: str = "BUY"


_NEW = Told("0", "0", 0, 100)
_CANCEL = Asked("CANCEL")
_TWENTY = Told("F", "1", 20, 80, 20)

_VANILLA = (
    Scenario("A.1.a", "filled", (
        _NEW, _TWENTY, Told("F", "1", 30, 70, 10), Told("F", "2", 100, 0, 70)),
        ("FILLED", 100, 100)),
    Scenario("A.1.a sold", "sold, each part from the same lot", (
        _NEW, _TWENTY, Told("F", "1", 30, 70, 10), Told("F", "2", 100, 0, 70)),
        ("FILLED", 100, 100), "SELL"),
    Scenario("A.1.a rejected", "rejected by the venue", (Told("8", "8", 0, 0, code=99),),
        ("REJECTED", 100, 0)),
    Scenario("A.1.b", "filled in part by the day's end", (
        _NEW, _TWENTY, Told("F", "1", 30, 70, 10), Told("C", "C", 30, 0)),
        ("EXPIRED", 100, 30)),
)  # fmt: skip

_CANCELS = (
    Scenario("B.1.a", "cancel of an order with no fill", (
        _NEW, _CANCEL, Told("6", "6", 0, 100, of=1), Told("4", "4", 0, 0, of=1)),
        ("CANCELLED", 100, 0)),
    Scenario("B.1.a refused", "cancel refused, then asked again", (
        _NEW, _CANCEL, Told("9", "0", 0, 0, of=1, code=2), _CANCEL, Told("4", "4", 0, 0, of=2)),
        ("CANCELLED", 100, 0)),
    Scenario("B.1.b", "cancel of a part-filled order that goes on trading", (
        _NEW, _TWENTY, _CANCEL, Told("F", "1", 50, 50, 30), Told("6", "6", 50, 50, of=1),
        Told("F", "6", 60, 40, 10), Told("4", "4", 60, 0, of=1)),
        ("CANCELLED", 100, 60)),
    Scenario("B.1.c", "filled before the cancel is accepted", (
        _NEW, _TWENTY, _CANCEL, Told("F", "1", 50, 50, 30), Told("6", "6", 50, 50, of=1),
        Told("F", "6", 100, 0, 50), Told("9", "2", 0, 0, of=1, code=0)),
        ("FILLED", 100, 100)),
    Scenario("B.1.d", "cancel of an order not yet acknowledged", (
        _CANCEL, Told("6", "6", 0, 100, of=1), Told("4", "4", 0, 0, of=1)),
        ("CANCELLED", 100, 0)),
    Scenario("B.1.e", "cancel and acknowledgement cross", (
        _CANCEL, _NEW, Told("6", "6", 0, 100, of=1), Told("4", "4", 0, 0, of=1)),
        ("CANCELLED", 100, 0)),
    Scenario("B.1.d refused", "cancel refused before the order is acknowledged", (
        _CANCEL, Told("9", "A", 0, 0, of=1, code=2), _NEW, Told("F", "2", 100, 0, 100)),
        ("FILLED", 100, 100)),
    Scenario("B.1.f", "cancel of an order that the venue says it doesn't know, then does", (
        # It followed the order on its session, so that the order is over; its trade counts even so.
        _CANCEL, Told("9", "8", 0, 0, of=1, code=1), _NEW._replace(ours="CANCELLED"),
        Told("F", "2", 100, 0, 100, ours="FILLED")),
        ("FILLED", 100, 100)),
)  # fmt: skip

_REPLACES = (
    Scenario("C.1.a", "replace to a larger quantity, nothing filled", (
        _NEW, Asked("REPLACE", 110), Told("E", "E", 0, 100, of=1),
        Told("5", "0", 0, 110, of=1, quantity=110),
        Told("F", "1", 10, 100, 10, of=1, quantity=110),
        Told("F", "2", 110, 0, 100, of=1, quantity=110)),
        ("FILLED", 110, 110)),
    Scenario("C.1.b", "replace to a larger quantity while it trades", (
        _NEW, Told("F", "1", 10, 90, 10), Asked("REPLACE", 120), Told("E", "E", 10, 90, of=1),
        Told("F", "E", 11, 89, 1), Told("5", "1", 11, 109, of=1, quantity=120),
        Told("F", "2", 120, 0, 109, of=1, quantity=120)),
        ("FILLED", 120, 120)),
    Scenario("C.1.c refused", "filled before the replace to a larger quantity arrives", (
        _NEW, Asked("REPLACE", 120), Told("F", "2", 100, 0, 100),
        Told("9", "2", 0, 0, of=1, code=0)),
        ("FILLED", 100, 100)),
    Scenario("C.2.a", "replace of the price refused since it filled meanwhile", (
        _NEW, Told("F", "1", 10, 90, 10), Asked("REPLACE", 100, 99), Told("E", "E", 10, 90, of=1),
        Told("F", "E", 100, 0, 90), Told("9", "2", 0, 0, of=1, code=0)),
        ("FILLED", 100, 100)),
    Scenario("C.3.a", "replace to less, above what fills meanwhile", (
        _NEW, Told("F", "1", 10, 90, 10), Asked("REPLACE", 80), Told("F", "1", 15, 85, 5),
        Told("E", "E", 15, 85, of=1), Told("F", "E", 16, 84, 1),
        Told("5", "1", 16, 64, of=1, quantity=80), Told("F", "2", 80, 0, 64, of=1, quantity=80)),
        ("FILLED", 80, 80)),
    Scenario("C.3.b", "replace to just what is filled by then", (
        _NEW, Told("F", "1", 10, 90, 10), Asked("REPLACE", 70), Told("F", "1", 70, 30, 60),
        Told("E", "E", 70, 30, of=1), Told("5", "2", 70, 0, of=1, quantity=70)),
        ("FILLED", 70, 70)),
    Scenario("C.3.c", "replace to less than is filled by then", (
        _NEW, Told("F", "1", 10, 90, 10), Asked("REPLACE", 70), Told("F", "1", 70, 30, 60),
        Told("E", "E", 70, 30, of=1), Told("F", "E", 80, 20, 10),
        Told("5", "2", 80, 0, of=1, quantity=80)),
        ("FILLED", 80, 80)),
)  # fmt: skip

_SEQUENCES = (
    Scenario("D.1.a", "two replaces, each accepted", (
        _NEW, Told("F", "1", 10, 90, 10), Asked("REPLACE", 80), Told("E", "E", 10, 90, of=1),
        Told("5", "1", 10, 70, of=1, quantity=80), Asked("REPLACE", 60),
        Told("E", "E", 10, 70, of=2, quantity=80), Told("5", "1", 10, 50, of=2, quantity=60),
        Told("F", "2", 60, 0, 50, of=2, quantity=60)),
        ("FILLED", 60, 60)),
    Scenario("D.1.b", "a replace refused at once, the next accepted", (
        _NEW, Told("F", "1", 10, 90, 10), Asked("REPLACE", 80),
        Told("9", "1", 0, 0, of=1, code=2), Asked("REPLACE", 60), Told("E", "E", 10, 90, of=2),
        Told("5", "1", 10, 50, of=2, quantity=60), Told("F", "2", 60, 0, 50, of=2, quantity=60)),
        ("FILLED", 60, 60)),
    Scenario("D.1.c", "a replace refused after it was pending, the next accepted", (
        _NEW, Told("F", "1", 10, 90, 10), Asked("REPLACE", 80), Told("E", "E", 10, 90, of=1),
        Told("9", "1", 0, 0, of=1, code=2), Asked("REPLACE", 60), Told("E", "E", 10, 90, of=2),
        Told("5", "1", 10, 50, of=2, quantity=60), Told("F", "2", 60, 0, 50, of=2, quantity=60)),
        ("FILLED", 60, 60)),
    Scenario("D.2 ours", "a cancel that waits behind a replace", (
        _NEW, Told("F", "1", 10, 90, 10), Asked("REPLACE", 80), _CANCEL,
        Told("E", "E", 10, 90, of=1), Told("5", "1", 10, 70, of=1, quantity=80),
        Told("F", "1", 15, 65, 5, of=1, quantity=80),
        Told("4", "4", 15, 0, of=2, quantity=80)),
        ("CANCELLED", 80, 15)),
)  # fmt: skip

_UNSOLICITED = (
    Scenario("E.1.b", "cancelled by the venue, filled in part", (
        _NEW, Told("F", "1", 50, 50, 50), Told("4", "4", 50, 0)),
        ("CANCELLED", 100, 50)),
    Scenario("F.1.a", "the copy of an order is refused, the order lives on", (
        _NEW, Told("8", "8", 0, 0, code=6), Told("I", "0", 0, 100),
        Told("F", "2", 100, 0, 100)),
        ("FILLED", 100, 100)),
    Scenario("F.1.b", "a possible resend is answered by the order as it stands", (
        _NEW, _TWENTY, Told("I", "1", 20, 80), Told("F", "2", 100, 0, 80)),
        ("FILLED", 100, 100)),
    Scenario("G.1.a", "a status asked of an order that never arrived, which is then sent again", (
        Told("I", "8", 0, 0, code=5), _NEW, Told("F", "2", 100, 0, 100)),
        ("FILLED", 100, 100)),
    Scenario("G.1.c", "a status asked at each turn of its life", (
        Told("I", "0", 0, 100), _NEW, Told("I", "0", 0, 100), _TWENTY, Told("I", "1", 20, 80),
        Told("F", "2", 100, 0, 80), Told("I", "2", 100, 0)),
        ("FILLED", 100, 100)),
    Scenario("I.1.b", "an order that takes what there is at once, the rest cancelled", (
        _NEW, Told("F", "1", 10, 90, 10), Told("4", "4", 10, 0)),
        ("CANCELLED", 100, 10)),
    Scenario("I.1.b nothing", "an order that finds nothing and was never acknowledged", (
        Told("4", "4", 0, 0),),
        ("CANCELLED", 100, 0)),
    Scenario("K.1.a", "a halt: it stays, and trades after it", (
        _NEW, Told("F", "1", 50, 50, 50), Told("D", "1", 50, 50), Told("F", "2", 100, 0, 50)),
        ("FILLED", 100, 100)),
    Scenario("K.1.b", "a halt: the venue cancels it, and a fill of before is told of late", (
        _NEW, Told("F", "1", 50, 50, 50), Told("4", "4", 50, 0), Told("F", "4", 80, 0, 30)),
        ("CANCELLED", 100, 80)),
    Scenario("K.1.b sold", "a halt: the venue cancels a sale, a fill of before is told of late", (
        _NEW, Told("F", "1", 50, 50, 50), Told("4", "4", 50, 0), Told("F", "4", 80, 0, 30)),
        ("CANCELLED", 100, 80), "SELL"),
    Scenario("overtaken", "the last fill overtakes all that was told before it", (
        Told("F", "1", 20, 80, 20), Told("0", "1", 20, 80), Told("4", "4", 20, 0),
        Told("F", "2", 100, 0, 80)),
        ("FILLED", 100, 100)),
)  # fmt: skip

_AMENDED = (
    Scenario("J.1.a", "a filled order, then busts and corrections of its trades", (
        _NEW, Told("F", "1", 10, 90, 10, name="C"), Told("F", "2", 100, 0, 90, 101, name="D"),
        Told("H", "1", 90, 10, 0, name="E", about="C"),
        Told("G", "1", 90, 10, 90, 100, name="F", about="D"), Told("F", "2", 100, 0, 10, 99),
        Told("G", "2", 100, 0, 90, 98, name="H", about="F")),
        ("FILLED", 100, 100)),
    Scenario("J.1.a sold", "a filled sale, then busts and corrections of its trades", (
        _NEW, Told("F", "1", 10, 90, 10, name="C"), Told("F", "2", 100, 0, 90, 101, name="D"),
        Told("H", "1", 90, 10, 0, name="E", about="C"),
        Told("G", "1", 85, 15, 85, 102, name="F", about="D"), Told("F", "2", 100, 0, 15, 99),
        Told("G", "2", 100, 0, 85, 103, name="H", about="D")),
        ("FILLED", 100, 100), "SELL"),
    Scenario("J.1.a ended", "a bust of a filled order ends it, as our venue has it", (
        _NEW, Told("F", "1", 10, 90, 10, name="C"), Told("F", "2", 100, 0, 90),
        Told("H", "4", 90, 0, 0, name="E", about="C")),
        ("CANCELLED", 100, 90)),
    Scenario("J.1.b", "a cancelled order, then a bust and another fill", (
        _NEW, Told("F", "1", 50, 50, 50, name="B"), _CANCEL, Told("6", "6", 50, 50, of=1),
        Told("4", "4", 50, 0, of=1), Told("H", "4", 0, 0, 0, about="B"),
        Told("F", "4", 40, 0, 40, 101)),
        ("CANCELLED", 100, 40)),
)  # fmt: skip

SCENARIOS = (*_VANILLA, *_CANCELS, *_REPLACES, *_SEQUENCES, *_UNSOLICITED, *_AMENDED)
