"""Order commands to FIX 4.4 fields, and the venue's reports back to ours. Pure; no FIX library.

Invariant: nothing is rounded or guessed. Prices and quantities are read and written as decimal
text and are integers in between; a report that lacks what the ledger judges by is refused as a
whole (PeerProtocolError), never half understood.

Sources: FIX 4.4 volume 4 (D, F, G, H, 8, 9) and the venue's dialect (infra/fix).
"""

import functools
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final, Literal

import msgspec

from functions.shared.clock import from_micros, micros, trade_date
from functions.shared.domain.errors import PeerProtocolError
from functions.shared.domain.money import NotADecimal, format_price, parse_decimal, parse_price
from functions.shared.wire.commands import (
    CancelOrder,
    NewOrder,
    OrderCommand,
    ReplaceOrder,
    client_order_tag,
    parse_client_order_tag,
)
from functions.shared.wire.executions import (
    ExecutionReport,
    decode_execution,
    encode_execution,
)

Fields = list[tuple[int, str]]

_SIDES: Final = {"BUY": "1", "SELL": "2"}
_SIDES_BACK: Final[dict[str, Literal["BUY", "SELL"]]] = {"1": "BUY", "2": "SELL"}
_TYPES: Final = {"MARKET": "1", "LIMIT": "2"}
_VALIDITIES: Final = {"DAY": "0", "IOC": "3"}

#: ExecType(150) that the ledger judges. The pending ones (6, A, E) tell it nothing, nor does a
#: restatement (D): the venue's auctions turn a market order that is left over into a limit order.
#: Done for the day (3) is followed by its ending; stopped (7), suspended (9) and calculated (B)
#: change nothing that we keep for an order.
_EXEC_TYPES: Final = frozenset("0458CFGHI")
_TRADES: Final = frozenset("FG")
_AMENDMENTS: Final = frozenset("GH")
_UNJUDGED: Final = frozenset("3679ABDE")
#: Request numbers from here on are of cancels that the gateway itself asks for: no client's order
#: is changed that often, and all of them fit in 31 bits.
UNOWNED_REQUEST: Final = 1_000_000_000
_CANCEL_ANSWERS: Final = frozenset("46")
#: MsgType(35) of what the venue announces: phases, states of securities, listings, mass cancels.
_ANNOUNCEMENTS: Final = frozenset("hfdr")

_UTC_TIMESTAMP: Final = re.compile(r"([0-9]{8}-[0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]{1,6}))?")
_ONLY_DIGITS: Final = str.maketrans("", "", "-:")
#: The tags that FIX 4.4 has, by their text.
_TAGS: Final = {str(number): number for number in range(1, 957)}
_DATE: Final = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})")


def request_number(command: OrderCommand) -> int:
    """The number in the command's ClOrdID; 0 for the order itself."""
    return 0 if isinstance(command, NewOrder) else command.request


def command_tag(command: OrderCommand) -> str:
    """The command's ClOrdID(11)."""
    return client_order_tag(command.order_id, request_number(command))


def command_fields(command: OrderCommand, now: datetime, possibly_sent: bool = False) -> Fields:
    """The message of a command, MsgType(35) first. `possibly_sent` sets PossResend(97), so that a
    venue that knows the ClOrdID answers with the order's status instead of a second order."""
    message: Fields = [(35, _message_type(command))]
    if possibly_sent:
        message.append((97, "Y"))
    message += [
        (11, command_tag(command)),
        (1, str(command.user_id)),
        (55, command.symbol),
        (54, _SIDES[command.side]),
        (38, str(command.quantity)),
        (60, format_utc_timestamp(now)),
    ]
    if isinstance(command, CancelOrder | ReplaceOrder):
        message.append((41, client_order_tag(command.order_id, command.original)))
    if isinstance(command, NewOrder | ReplaceOrder):
        message += [(40, _TYPES[command.type]), (59, _VALIDITIES[command.validity])]
        if command.price is not None:
            message.append((44, format_price(command.price)))
        if command.disclosed is not None:
            message.append((111, str(command.disclosed)))
    return message


def status_fields(command: OrderCommand) -> Fields:
    """An OrderStatusRequest (35=H) about a command: does the venue know its ClOrdID?"""
    return order_status_fields(
        command_tag(command), str(command.user_id), command.symbol, command.side
    )


def order_status_fields(tag: str, account: str, symbol: str, side: str) -> Fields:
    """An OrderStatusRequest (35=H) about the order that bears this ClOrdID; `side` BUY or SELL."""
    return [(35, "H"), (11, tag), (1, account), (55, symbol), (54, _SIDES[side])]


def mass_status_fields(request: str) -> Fields:
    """An OrderMassStatusRequest (35=AF) for all open orders of the session."""
    return [(35, "AF"), (584, request), (585, "7")]


def unowned_cancel_fields(
    tag: str, number: int, account: str, symbol: str, side: str, quantity: int, now: datetime
) -> Fields:
    """An OrderCancelRequest (35=F) for an order of the venue that no hold of ours covers. Its
    ClOrdID is of our form, with a `number` from UNOWNED_REQUEST on, and order 0 where `tag` is none
    of ours."""
    return [
        (35, "F"),
        (11, client_order_tag(number_in(tag), number)),
        (1, account),
        (55, symbol),
        (54, _SIDES[side]),
        (38, str(quantity)),
        (60, format_utc_timestamp(now)),
        (41, tag),
    ]


def is_unowned_cancel(fields: Mapping[int, str]) -> bool:
    """Whether a report, of no trade, answers such a cancel: the ledger knows nothing of it."""
    kind = fields.get(35)
    if kind != "9" and (kind != "8" or fields.get(150) not in _CANCEL_ANSWERS):
        return False
    try:
        return parse_client_order_tag(fields.get(11, ""))[1] >= UNOWNED_REQUEST
    except ValueError:
        return False


def number_in(tag: str) -> int:
    """The order number in a ClOrdID; 0 when it is none of ours."""
    try:
        return parse_client_order_tag(tag)[0]
    except ValueError:
        return 0


def is_mass_status(fields: Mapping[int, str]) -> bool:
    """An answer to such a request: one of its orders, or that there are none."""
    return fields.get(35) == "8" and 584 in fields


def status_fields_of(report: Mapping[int, str]) -> Fields:
    """An OrderStatusRequest about the order of a report. Raises PeerProtocolError."""
    try:
        named = [(tag, _identifier(report[tag])) for tag in (11, 1, 55, 54)]
    except (KeyError, ValueError):
        raise PeerProtocolError(
            "the report doesn't name ClOrdID, Account, Symbol and Side"
        ) from None
    return [(35, "H"), *named]


def parse_fields(raw: str) -> dict[int, str]:
    """The tags of a message without repeating groups. Raises PeerProtocolError."""
    fields: dict[int, str] = {}
    for part in raw.split("\x01"):
        if not part:
            continue
        tag, equals, value = part.partition("=")
        number = _TAGS.get(tag) or _tag(tag)
        if not equals or number is None:
            raise PeerProtocolError(f"{part[:20]!r} is not tag=value")
        fields[number] = value
    return fields


def is_duplicate_reject(fields: Mapping[int, str]) -> bool:
    """The venue refuses a ClOrdID it has: nothing is said about the order that bears it."""
    if fields.get(35) == "9":
        return fields.get(102) == "6"
    return fields.get(35) == "8" and fields.get(150) == "8" and fields.get(103) == "6"


def is_unknown_order(fields: Mapping[int, str]) -> bool:
    """The answer to a status request about a ClOrdID the venue never saw."""
    return fields.get(35) == "8" and fields.get(150) == "I" and fields.get(103) == "5"


def says_nothing_new(fields: Mapping[int, str]) -> bool:
    """Whether a message says nothing about an order that the ledger could book: an announcement, a
    restatement, or that the venue has our request and has yet to decide it."""
    if fields.get(35) in _ANNOUNCEMENTS:
        return True
    return fields.get(35) == "8" and fields.get(150) in _UNJUDGED


def last_settled(position: int, fields: Mapping[int, str]) -> int:
    """A SequenceReset (4) settles all numbers up to its NewSeqNo(36); another message its own.
    Raises PeerProtocolError."""
    if fields.get(35) != "4":
        return position
    following = fields.get(36, "")
    if not following.isdecimal() or len(following) > 12:
        raise PeerProtocolError("a SequenceReset without NewSeqNo")
    return max(position, int(following) - 1)


def execution_of(session: str, fields: Mapping[int, str]) -> ExecutionReport:
    """The report in an ExecutionReport (8) or OrderCancelReject (9). Raises PeerProtocolError,
    also for one that the ledger could not read back: what is handed on there must be taken there,
    or the session's checkpoint would stand still behind it."""
    try:
        read = _cancel_reject if fields[35] == "9" else _execution_report
        return decode_execution(encode_execution(read(session, fields)))
    except KeyError as error:
        raise PeerProtocolError(f"the report lacks tag {error.args[0]}") from None
    except (ValueError, OverflowError, msgspec.MsgspecError) as error:
        raise PeerProtocolError(f"the report is malformed: {error}") from None


def format_utc_timestamp(moment: datetime) -> str:
    """UTCTimestamp with milliseconds: `20260710-04:00:00.123`."""
    date, _, time = moment.astimezone(UTC).isoformat(timespec="milliseconds").partition("T")
    return f"{date.replace('-', '')}-{time.removesuffix('+00:00')}"


def parse_utc_timestamp(text: str) -> int:
    """Microseconds since 1970 of a UTCTimestamp. Raises ValueError."""
    match = _UTC_TIMESTAMP.fullmatch(text)
    if match is None:
        raise ValueError(f"{text[:30]!r} is not a UTCTimestamp")
    return _second(match[1]) + int((match[2] or "").ljust(6, "0"))


@functools.lru_cache(maxsize=64)
def _second(text: str) -> int:
    """Of `20260710-04:00:00`. Most reports come in the second of the one before."""
    digits = text.translate(_ONLY_DIGITS)
    year, month, day = int(digits[:4]), int(digits[4:6]), int(digits[6:8])
    hour, minute, second = int(digits[8:10]), int(digits[10:12]), int(digits[12:14])
    return micros(datetime(year, month, day, hour, minute, second, tzinfo=UTC))


def _tag(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 6 else None


def _message_type(command: OrderCommand) -> str:
    match command:
        case NewOrder():
            return "D"
        case CancelOrder():
            return "F"
        case ReplaceOrder():
            return "G"


def _execution_report(session: str, fields: Mapping[int, str]) -> ExecutionReport:
    exec_type = fields[150]
    if fields[35] != "8" or exec_type not in _EXEC_TYPES:
        raise ValueError(f"MsgType {fields[35]!r} with ExecType {exec_type[:5]!r}")
    order_id, request = parse_client_order_tag(fields[11])
    trade, amended = exec_type in _TRADES, exec_type in _AMENDMENTS
    last_quantity, last_price = (_whole(fields[32]), _price(fields[31])) if trade else (0, 0)
    if trade and (last_quantity == 0 or last_price == 0):
        raise ValueError("a trade of no shares or at no price")
    return ExecutionReport(
        session=session,
        position=_number(fields[34]),
        user_id=_number(fields[1]),
        order_id=order_id,
        request=request,
        exec_id=_identifier(fields[17]),
        exec_type=exec_type,
        ord_status=fields[39],
        venue_order_id=_identifier(fields[37]),
        symbol=fields[55],
        side=_SIDES_BACK[fields[54]],
        last_quantity=last_quantity,
        last_price=last_price,
        cumulative_quantity=_whole(fields[14]),
        leaves_quantity=_whole(fields[151]),
        order_quantity=_whole(fields[38]),
        price=_price(fields[44]) if 44 in fields else None,
        trade_date=_date(fields[75]),
        transacted_at=parse_utc_timestamp(fields[60]),
        reject_code=_whole(fields[103]) if 103 in fields else None,
        text=_free_text(fields.get(58, "")),
        exec_ref=_identifier(fields[19]) if amended else "",
    )


def _cancel_reject(session: str, fields: Mapping[int, str]) -> ExecutionReport:
    order_id, request = parse_client_order_tag(fields[11])
    transacted_at = parse_utc_timestamp(fields[60])
    return ExecutionReport(
        session=session,
        position=_number(fields[34]),
        user_id=_number(fields[1]) if 1 in fields else 0,
        order_id=order_id,
        request=request,
        exec_id="",
        exec_type="9",
        ord_status=fields[39],
        venue_order_id=_identifier(fields[37]),
        symbol="",
        side=None,
        last_quantity=0,
        last_price=0,
        cumulative_quantity=0,
        leaves_quantity=0,
        order_quantity=0,
        price=None,
        trade_date=trade_date(from_micros(transacted_at)).isoformat(),
        transacted_at=transacted_at,
        reject_code=_whole(fields[102]),
        text=_free_text(fields.get(58, "")),
    )


def _whole(text: str) -> int:
    value = parse_decimal(text, 0)
    if value < 0:
        raise NotADecimal(f"{text[:20]!r} is below 0")
    return value


def _number(text: str) -> int:
    """A 64-bit number that counts nothing: a user's, a message's."""
    if not (text.isascii() and text.isdecimal() and len(text) <= 19) or int(text) >= 2**63:
        raise ValueError(f"{text[:20]!r} is not a 64-bit number")
    return int(text)


def _price(text: str) -> int:
    value = parse_price(text)
    if value < 0:
        raise NotADecimal(f"{text[:20]!r} is below 0")
    return value


def _identifier(text: str) -> str:
    if not 1 <= len(text) <= 64 or not text.isascii() or not text.isprintable():
        raise ValueError(f"{text[:20]!r} is not an identifier")
    return text


def _free_text(text: str) -> str:
    """Text(58) is for people: bytes that no store takes must not cost the report it came with."""
    storable = text.replace("\0", " ").encode(errors="surrogateescape")
    return storable.decode(errors="replace")


@functools.lru_cache(maxsize=16)
def _date(text: str) -> str:
    match = _DATE.fullmatch(text)
    if match is None:
        raise ValueError(f"{text[:20]!r} is not YYYYMMDD")
    return datetime(int(match[1]), int(match[2]), int(match[3]), tzinfo=UTC).date().isoformat()
