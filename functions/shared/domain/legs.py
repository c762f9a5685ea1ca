"""Exits that wait together: a stop and a target of which one is to fill.

Invariant: a leg says all that the ledger needs to place it by itself, so exits come to life in the
transaction of the fill that they are for, with nobody asked.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal

from functions.shared.domain.charges import Rates
from functions.shared.domain.orders import OrderType, Side, Validity


class LegName(StrEnum):
    """Which of two exits: the one that limits a loss, or the one that takes a gain."""

    STOP = "STOP"
    TARGET = "TARGET"


@dataclass(frozen=True, slots=True)
class ExitPrices:
    """Where a position is to be left, in ten-thousandths of a rupee: the stop's trigger and its
    limit (None: at the market), and the target's limit."""

    stop: int
    stop_limit: int | None
    target: int


@dataclass(frozen=True, slots=True)
class Leg:
    """One of them; the names are the columns of the ledger's orders. `reserved`: paise, for all of
    `quantity`. LEADS: it keeps what either of the two needs."""

    leg: LegName
    stance: Literal["LEADS", "FOLLOWS"]
    side: Side
    type: OrderType
    validity: Validity
    quantity: int
    price: int | None
    limit_price: int
    trigger_price: int
    trigger_above: bool
    reserved: int
    margin_rate: int
    charge_rates: Rates
    expires_at: datetime
