"""What officers decided, where orders are placed: an account's state and limits, and halts.

Flow: an audit entry on shard 0 -> here, under the entry's number -> an event of the account's log,
or the shard's row of a halt. Invariant: asked twice, it is done once, and an entry that comes after
a later one changes nothing.
"""

from datetime import date, datetime
from typing import Literal

import msgspec

from functions.shared.stores.postgres import Database, Shards

Kind = Literal["STATE", "LIMITS"]
HaltState = Literal["ACTIVE", "REDUCING", "HALTED"]

_INTERVENE = "SELECT ledger.intervene(:user_id, :audit_id, :kind, :value, :now)"
_HALT = "SELECT ledger.set_halt(:symbol, :state, :audit_id)"
_HALTS = "SELECT symbol, audit_id FROM ledger.halt"
_OF_ACCOUNT = (
    "SELECT a.state, a.class, a.open_orders, a.limits FROM ledger.account_on(:user_id, :today) a"
)


class AccountLimits(msgspec.Struct, frozen=True, array_like=True):
    """A risk officer's limits of one account, on top of everybody's; None: there is none of it.
    `order_value` in paise, of an order that opens; the rates in orders."""

    order_value: int | None = None
    open_orders: int | None = None
    per_second: int | None = None
    per_minute: int | None = None
    per_day: int | None = None


NO_LIMITS = AccountLimits()


class AccountSetting(msgspec.Struct, frozen=True):
    """What an account is set to now, where it lives."""

    state: HaltState
    account_class: str
    open_orders: int
    limits: AccountLimits


def intervene(
    shards: Shards, user_id: int, audit_id: int, kind: Kind, value: str | None, now: datetime
) -> int:
    """Does what an entry says; `value` is its JSON. Returns the seq of the account's event, 0 when
    a later entry came first. Raises NotFound without an account, Retryable."""
    rows = shards.of_user(user_id).call(
        _INTERVENE, user_id=user_id, audit_id=audit_id, kind=kind, value=value, now=now
    )
    return int(rows[0][0])


def set_halt(database: Database, symbol: str, state: HaltState, audit_id: int) -> None:
    """Halts a symbol on one shard, or lets it go; the empty symbol is the market. Raises
    Retryable."""
    database.run(_HALT, symbol=symbol, state=state, audit_id=audit_id)


def halts_known(database: Database) -> dict[str, int]:
    """Symbol -> the latest entry that the shard has of it. Raises Retryable."""
    return {symbol: int(audit_id) for symbol, audit_id in database.run(_HALTS)}


def account_setting(shards: Shards, user_id: int, today: date) -> AccountSetting:
    """Raises NotFound when there is no account."""
    [[state, account_class, open_orders, limits]] = shards.of_user(user_id).call(
        _OF_ACCOUNT, user_id=user_id, today=today
    )
    return AccountSetting(state, account_class, open_orders, AccountLimits(*(limits or ())))


def lower(everybodys: int, own: int | None) -> int:
    """The limit that counts: an account's own is never above everybody's."""
    return everybodys if own is None else min(everybodys, own)


def encode_limits(limits: AccountLimits) -> str | None:
    """As the account keeps them: a JSON array; None for no limit at all."""
    return None if limits == NO_LIMITS else msgspec.json.encode(limits).decode()
