"""How figures read on screen: Indian grouping, the rupee sign, a true minus, IST times."""

from datetime import date, datetime, timedelta, timezone
from decimal import ROUND_HALF_UP, Decimal

IST = timezone(timedelta(hours=5, minutes=30), "IST")
"""India has one zone and no summer time, so a fixed offset is exact."""

NOTHING = "–"
_MINUS = "−"


def grouped(whole: int) -> str:
    """Digits in the Indian manner: the last three, then twos (12,34,567)."""
    sign = _MINUS if whole < 0 else ""
    digits = str(abs(whole))
    head, tail = digits[:-3], digits[-3:]
    pairs = []
    while head:
        pairs.append(head[-2:])
        head = head[:-2]
    return sign + ",".join([*reversed(pairs), tail])


def amount(value: Decimal | None, places: int = 2) -> str:
    """A grouped decimal with `places` decimals, rounded half up."""
    if value is None:
        return NOTHING
    rounded = value.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)
    sign = _MINUS if rounded < 0 else ""
    whole, _, decimals = str(abs(rounded)).partition(".")
    return sign + grouped(int(whole)) + (f".{decimals}" if decimals else "")


def rupees(value: Decimal | None, places: int = 2) -> str:
    """An amount with the rupee sign after the minus: −₹1,000.00."""
    text = amount(value, places)
    if text == NOTHING:
        return text
    return f"{_MINUS}₹{text[1:]}" if text.startswith(_MINUS) else f"₹{text}"


def signed(value: Decimal | None, places: int = 2) -> str:
    """An amount that says its direction: +12.50, −3.00, 0.00."""
    text = amount(value, places)
    return f"+{text}" if value is not None and value > 0 and text.strip("0.,") else text


def signed_rupees(value: Decimal | None) -> str:
    """A gain or loss in rupees: +₹12.50."""
    text = rupees(value)
    return f"+{text}" if value is not None and value > 0 else text


def percent(value: Decimal | None) -> str:
    """A signed percentage with two decimals."""
    text = signed(value)
    return text if text == NOTHING else f"{text}%"


def quantity(value: int | None) -> str:
    """A grouped count of shares."""
    return NOTHING if value is None else grouped(value)


def volume(value: int | None) -> str:
    """A traded volume in lakhs and crores, as Indian screens give it."""
    if value is None:
        return NOTHING
    if value >= 10_000_000:
        return f"{amount(Decimal(value) / 10_000_000)} Cr"
    if value >= 100_000:
        return f"{amount(Decimal(value) / 100_000)} L"
    return grouped(value)


def clock(at: datetime | None) -> str:
    """The time of day in IST, to the second."""
    return NOTHING if at is None else at.astimezone(IST).strftime("%H:%M:%S")


def day(at: datetime) -> str:
    """The day in IST: 10 Jul."""
    local = at.astimezone(IST)
    return f"{local.day} {local:%b}"


def minute(at: datetime) -> str:
    """The day and the time in IST, to the minute: 10 Jul 14:05."""
    return f"{day(at)} {clock(at)[:5]}"


def is_of(at: datetime, today: date | None) -> bool:
    """Whether `at` falls on `today` in IST; so does all while today is not known."""
    return today is None or at.astimezone(IST).date() == today
