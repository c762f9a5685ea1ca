"""Notices on a user's channel that are no events of the ledger: functions -> fanout -> the user's
devices. JSON, version 1, behind a byte that no event begins with.

Invariant: a notice only says what is to be read again, so one that is lost, or comes twice, does
no harm; it has no `user_seq`.
"""

from typing import Final, Literal

import msgspec

_MARK: Final = b"!"


class WatchlistMoved(msgspec.Struct, frozen=True, kw_only=True):
    """A watchlist was opened, changed or dropped (`version` None). Without an id: any of them may
    have been, while the channel was away."""

    v: Literal[1] = 1
    watchlist_id: str | None = None
    version: int | None = None


_decoder = msgspec.json.Decoder(WatchlistMoved)
_encoder = msgspec.json.Encoder()


def is_notice(payload: bytes) -> bool:
    """Whether a payload of a user's channel is one of these, or an event."""
    return payload.startswith(_MARK)


def encode_notice(notice: WatchlistMoved) -> bytes:
    return _MARK + _encoder.encode(notice)


def decode_notice(payload: bytes) -> WatchlistMoved:
    """Raises msgspec.MsgspecError for anything that isn't a version 1 notice."""
    return _decoder.decode(payload[len(_MARK) :])


def render_notice(notice: WatchlistMoved) -> dict[str, object]:
    """The stream's object."""
    return {
        "type": "watchlist",
        "watchlist_id": notice.watchlist_id,
        "version": notice.version,
    }
