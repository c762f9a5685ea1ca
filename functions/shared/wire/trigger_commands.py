"""What the edge asks of orders that wait, of plans and of price alerts: triggers -> stream
`commands.N` -> functions/orders.

JSON, version 1.

Invariant: a command asks and decides nothing. It names the order's version, so the same one asked
twice, or by two watchers, is done once; the ledger judges the order again before it moves.
"""

from typing import Literal

import msgspec

from functions.shared.wire.executions import Count, Micros


class Tick(msgspec.Struct, frozen=True, kw_only=True):
    """The quote that reached a trigger: the trade price in ten-thousandths of a rupee, the symbol's
    quote number and the exchange's time."""

    price: Count
    seq: Count
    timestamp_ms: Count


class ReleaseOrder(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="release"):
    """What the order waited for has come: the tick, or None for its time. `again`: it was asked
    before, and was lost or put off."""

    v: Literal[1] = 1
    user_id: Count
    order_id: Count
    version: Count
    tick: Tick | None
    seen_at: Micros
    again: bool = False


class TrailOrder(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="trail"):
    """A trade has gone so far the right way that a trailing stop's trigger is to follow."""

    v: Literal[1] = 1
    user_id: Count
    order_id: Count
    version: Count
    tick: Tick
    seen_at: Micros


class ExpireOrder(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="expire"):
    """The order's time is over: what waits ends, what is left at the venue is cancelled."""

    v: Literal[1] = 1
    user_id: Count
    order_id: Count
    version: Count
    seen_at: Micros


class WorkPlan(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="work_plan"):
    """A step of a plan is due: a slice's time has come, its window is over, or a leg has ended."""

    v: Literal[1] = 1
    user_id: Count
    plan_id: Count
    seen_at: Micros


class FireAlert(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="fire_alert"):
    """What a price alert waits for has come: `value` reached its threshold, in its kind's unit."""

    v: Literal[1] = 1
    user_id: Count
    alert_id: Count
    version: Count
    tick: Tick
    value: int
    seen_at: Micros


#: About an order.
TriggerCommand = ReleaseOrder | TrailOrder | ExpireOrder
#: All that the stream carries.
EdgeCommand = TriggerCommand | WorkPlan | FireAlert

_decoder: msgspec.json.Decoder[EdgeCommand] = msgspec.json.Decoder(EdgeCommand)
_encoder = msgspec.json.Encoder()


def decode_trigger_command(data: bytes) -> EdgeCommand:
    """Raises msgspec.MsgspecError for anything that isn't a version 1 command."""
    return _decoder.decode(data)


def encode_trigger_command(command: EdgeCommand) -> bytes:
    return _encoder.encode(command)


def commands_stream(partition: int) -> str:
    """The stream of one partition; a user's commands are all in one (ids.partition_of_user)."""
    return f"commands.{partition}"
