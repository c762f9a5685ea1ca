"""From where on a rule speaks. The exchanges keep their own thresholds secret; these are ours.

Invariant: whole numbers only. Defaults were chosen on simulated populations that the stated
precision and recall were not measured on (infra/surveillance).
"""

from dataclasses import dataclass
from typing import Final

_MINUTE: Final = 60 * 1_000_000
_CRORE: Final = 10_000_000 * 100


@dataclass(frozen=True, slots=True)
class Parameters:
    """Per cent, counts, paise, microseconds. From `findings_from` points on a finding is told."""

    findings_from: int = 70
    #: Wash trades: more round trips than this in a stock in a day; a leg back counts once it is
    #: that part of the leg out; prices that near are near-equal, in hundredths of a per cent.
    round_trips_most: int = 10
    leg_back_percent: int = 90
    near_price_bp: int = 20
    #: Orders a trade: from that many messages in a stock on; and so many of them a trade.
    messages_least: int = 200
    messages_a_trade: int = 50
    #: Orders laid to be seen: cancelled that soon, unfilled, that many times what its account
    #: traded on the other side meanwhile; from so many of them on.
    layer_life: int = 10 * 1_000_000
    layer_times: int = 5
    layers_least: int = 3
    #: Pump and dump: stocks that trade less than this a day; above the mean close of five days;
    #: times the usual volume; a group's part of the volume; of what it bought, sold again, at so
    #: much above what it paid.
    thin_value: int = 5 * _CRORE
    price_up_percent: int = 10
    volume_times: int = 3
    group_percent: int = 20
    group_least: int = 2
    dumped_percent: int = 40
    dumped_gain_percent: int = 5
    history_least: int = 3
    #: A takeover's steps count together for that long.
    takeover_span: int = 24 * 60 * _MINUTE
    withdrawn_percent: int = 50


DEFAULTS: Final = Parameters()
