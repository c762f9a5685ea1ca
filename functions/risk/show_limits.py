"""All limits in force for a user, with what is used and left of each.

Invariant: what is counted under the account's lock is read from the same SQL that judges by it; it
may have moved by the time the answer arrives.
"""

from datetime import date, datetime
from typing import NamedTuple, Protocol

from functions.risk.answers import KillSwitchItem, LimitItem, LimitList, StockItem
from functions.shared.bookkeeping.accounts import order_rates, orders_counted
from functions.shared.bookkeeping.intervening import account_setting, lower
from functions.shared.bookkeeping.limiting import (
    KillSwitch,
    PositionLimits,
    kill_switch_of,
    position_limits,
)
from functions.shared.clock import micros, trade_date
from functions.shared.domain.errors import NotFound
from functions.shared.domain.money import format_amount
from functions.shared.domain.pretrade import order_limits
from functions.shared.domain.square_off import square_off_fee
from functions.shared.runtime.composition import Stores
from functions.shared.wire.events import format_time


class _Dated(Protocol):
    """A dated row."""

    @property
    def valid_from(self) -> date: ...
    @property
    def source(self) -> str: ...


class _OfAccount(NamedTuple):
    """Rows of one account, what it has in each share, and its kill switch."""

    items: list[LimitItem]
    positions: PositionLimits | None
    switch: KillSwitch


def show_limits(stores: Stores, user_id: int) -> LimitList:
    """Raises LookupError on a day without rules. A user whose account is not open yet places no
    orders, and is shown what holds for everybody."""
    now = stores.clock.now()
    today = trade_date(now)
    row, fee = order_limits(today), square_off_fee(today)
    value_max, open_orders, opened = row.value_max, row.open_orders_max, 0
    try:
        setting = account_setting(stores.shards, user_id, today)
        value_max = lower(value_max, setting.limits.order_value)
        open_orders = lower(open_orders, setting.limits.open_orders)
        opened = setting.open_orders
        account = _of_account(stores, user_id, today, now)
    except NotFound:
        account = _OfAccount([], None, KillSwitch(is_on=False, since=None, may_end_at=None))
    positions, switch = account.positions, account.switch
    return LimitList(
        items=[
            _item("ORDER_QUANTITY_MAX", str(row.quantity_max), "shares", row),
            _item("ORDER_VALUE_MAX", format_amount(value_max), "INR", row),
            _counted("OPEN_ORDERS_MAX", open_orders, opened, row),
            _item("ORDER_CHANGES_MAX", str(row.changes_max), "changes", row),
            _item("PRICE_AWAY_MAX", str(row.away_percent), "percent", row),
            _item("SQUARE_OFF_FEE", format_amount(fee.fee + fee.tax), "INR", fee),
            *account.items,
        ],
        stocks=[
            StockItem(symbol=symbol, used=format_amount(used),
                      left=format_amount(max(0, positions.stock - used)))
            for symbol, used in positions.stocks
        ] if positions is not None else [],
        kill_switch=KillSwitchItem(
            on=switch.is_on,
            may_end_at=None
            if switch.may_end_at is None
            else format_time(micros(switch.may_end_at)),
        ),
    )  # fmt: skip


def _of_account(stores: Stores, user_id: int, today: date, now: datetime) -> _OfAccount:
    items = []
    rates = order_rates(stores.shards, user_id, today)
    if rates is not None:
        counted = orders_counted(stores.shards, user_id, now)
        for unit, most, count in (
            ("SECOND", rates.per_second, counted.second),
            ("MINUTE", rates.per_minute, counted.minute),
            ("DAY", rates.per_day, counted.day),
        ):
            items.append(_counted(f"ORDERS_PER_{unit}_MAX", most, count, rates))
    found = position_limits(stores.shards, user_id, today)
    if found is not None:
        items.append(_item("STOCK_VALUE_MAX", format_amount(found.stock), "INR", found))
        exposure = _item("EXPOSURE_MAX", format_amount(found.exposure), "INR", found)
        left = max(0, found.exposure - found.exposed)
        used = {"used": format_amount(found.exposed), "left": format_amount(left)}
        items.append(exposure.model_copy(update=used))
    return _OfAccount(items, found, kill_switch_of(stores.shards, user_id, today))


def _item(code: str, value: str, unit: str, row: _Dated) -> LimitItem:
    return LimitItem(
        code=code, value=value, unit=unit, valid_from=row.valid_from.isoformat(), valid_to=None,
        source=row.source,
    )  # fmt: skip


def _counted(code: str, most: int, used: int, row: _Dated) -> LimitItem:
    """A limit on how many orders: what is used of it, and left."""
    item = _item(code, str(most), "orders", row)
    return item.model_copy(update={"used": str(used), "left": str(max(0, most - used))})
