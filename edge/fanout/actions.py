"""What a client may say: one JSON object a message, of a known action and nothing more.

Invariant: a message is understood wholly or refused with a code; an unknown field is refused by
name, so that a client's typing error never passes as a default.
"""

from typing import Annotated, Literal

import msgspec

from functions.shared.domain.errors import PeerProtocolError
from functions.shared.domain.money import NotADecimal, parse_price

Mode = Literal["ltp", "quote", "full"]
_Text64 = Annotated[str, msgspec.Meta(max_length=64)]
_Seq = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]


class Auth(msgspec.Struct, frozen=True, tag_field="action", tag="auth", forbid_unknown_fields=True):
    """Signs in, or extends a connection that is signed in already."""

    token: str


class Subscribe(
    msgspec.Struct, frozen=True, tag_field="action", tag="subscribe", forbid_unknown_fields=True
):
    """Wants quotes of these symbols; a symbol asked for again takes the new mode and `min_move`."""

    symbols: list[_Text64]
    mode: Mode = "ltp"
    min_move: msgspec.Raw = msgspec.Raw()

    def least_move(self) -> int:
        """`min_move`, rupees as text or as a number, in ten-thousandths; 0 when every change is
        wanted. Raises BadMessage: INVALID_MESSAGE."""
        text = bytes(self.min_move).decode()
        if text in {"", "null"}:
            return 0
        try:
            move = parse_price(text.removeprefix('"').removesuffix('"'))
        except NotADecimal as error:
            raise BadMessage("INVALID_MESSAGE", f"min_move: {error}") from None
        if move <= 0:
            raise BadMessage("INVALID_MESSAGE", "min_move: must be above zero")
        if self.mode == "full":
            raise BadMessage("INVALID_MESSAGE", "min_move: mode full is told every change")
        return move


class Unsubscribe(
    msgspec.Struct, frozen=True, tag_field="action", tag="unsubscribe", forbid_unknown_fields=True
):
    """Wants quotes of these symbols no longer."""

    symbols: list[_Text64]


class Resume(
    msgspec.Struct, frozen=True, tag_field="action", tag="resume", forbid_unknown_fields=True
):
    """Wants the account's events after `seq`, then live ones."""

    seq: _Seq


class Ping(msgspec.Struct, frozen=True, tag_field="action", tag="ping", forbid_unknown_fields=True):
    """Shows that the client is there; answered with the same `id`."""

    id: int | _Text64 | None = None


Action = Auth | Subscribe | Unsubscribe | Resume | Ping
_decoder: msgspec.json.Decoder[Action] = msgspec.json.Decoder(Action)


class BadMessage(PeerProtocolError):
    """A message that can't be followed, with a stable code."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


def parse_action(text: bytes) -> Action:
    """Raises BadMessage: NOT_JSON, UNKNOWN_ACTION, UNKNOWN_FIELD or INVALID_MESSAGE."""
    try:
        return _decoder.decode(text)
    except msgspec.ValidationError as error:
        raise BadMessage(_code_of(str(error)), str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadMessage("NOT_JSON", str(error)) from None


def _code_of(message: str) -> str:
    if "unknown field" in message:
        return "UNKNOWN_FIELD"
    if message.endswith("`$.action`") or "required field `action`" in message:
        return "UNKNOWN_ACTION"
    return "INVALID_MESSAGE"
