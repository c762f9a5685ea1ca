"""The rules that an order or a payment may break, and why an order may have ended: for `/docs`.

Invariant: every code that `rules[].code` or an order's `reason.code` may carry is here, with what
it means and what would be valid; a test holds both lists against the code and the SQL.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple


class RuleText(NamedTuple):
    """`valid`: what would pass; in an answer the rule's `limit`, `nearest` and `largest_quantity`
    name it in numbers."""

    meaning: str
    valid: str


RULE_CODES: Final[Mapping[str, RuleText]] = {
    # The instrument, its prices and sizes.
    "NOT_TRADABLE": RuleText("The instrument is not bought or sold here", "A listed share"),
    "DELIVERY_ONLY": RuleText("Its series is traded for delivery only", "Product CNC"),
    "PRODUCT_NOT_ELIGIBLE": RuleText(
        "The share may not be traded as this product", "The products that it may"
    ),
    "PRICE_OFF_TICK": RuleText("The price is not a multiple of the tick", "The nearest tick"),
    "PRICE_OUTSIDE_BAND": RuleText("The price is outside the day's band", "The band's nearer end"),
    "PRICE_FAR_FROM_LAST": RuleText(
        "The limit is far worse than the last price", "The nearest price; PRICE_AWAY_MAX"
    ),
    "QUANTITY_OFF_LOT": RuleText("The quantity is not a multiple of the lot", "Whole lots"),
    "QUANTITY_TOO_LARGE": RuleText("More shares than one order may have", "ORDER_QUANTITY_MAX"),
    "QUANTITY_ABOVE_FREEZE": RuleText(
        "More shares than the exchange takes in one order", "The freeze quantity; an ICEBERG plan"
    ),
    "ORDER_VALUE_TOO_LARGE": RuleText("Worth more than one order may be", "ORDER_VALUE_MAX"),
    "DISCLOSED_OUT_OF_RANGE": RuleText(
        "What is shown at a time is too little or all", "A tenth of the order up to below all of it"
    ),
    # The session.
    "MARKET_CLOSED": RuleText("The market is not open", "Its session; variety AMO"),
    "TRADING_HALTED": RuleText("Trading is halted", "Cancels; orders when it is lifted"),
    "MARKET_HALTED": RuleText(
        "The exchange's circuit breaker, or an operator, has halted the market",
        "Cancels; orders from `limit` on",
    ),
    "TRADING_REDUCING": RuleText("Only what closes is taken", "Orders that close; cancels"),
    "PHASE_TAKES_NO_ORDERS": RuleText("The exchange is matching", "The next phase"),
    "TYPE_NOT_IN_PHASE": RuleText(
        "The phase takes no orders of the type", "`takes` of GET /v1/market/status"
    ),
    "VALIDITY_NOT_IN_PHASE": RuleText("Nothing is filled at once in the phase", "Validity DAY"),
    "DISCLOSED_NOT_IN_PHASE": RuleText(
        "The phase takes no disclosed quantity", "The whole order shown"
    ),
    "MIS_CUT_OFF": RuleText("Intraday positions are being closed for the day", "Product CNC"),
    "AFTER_MARKET_ONLY": RuleText(
        "After-market orders are taken while the market is closed", "Variety REGULAR"
    ),
    # Orders that wait.
    "TRIGGER_OFF_TICK": RuleText("The trigger is not a multiple of the tick", "The nearest tick"),
    "TRIGGER_OUTSIDE_BAND": RuleText(
        "The trigger is outside the day's band", "The band's nearer end"
    ),
    "TRIGGER_PASSED": RuleText(
        "The price is at the trigger already", "Below the last price to sell, above it to buy"
    ),
    "TRIGGER_TOO_NEAR": RuleText("A GTT's trigger is too near the last price", "The nearest one"),
    "LIMIT_BEFORE_TRIGGER": RuleText(
        "The limit would not be filled at the trigger", "The trigger, or behind it"
    ),
    "STOP_LIMIT_GAP": RuleText("The limit is too far from the trigger", "The nearest limit"),
    "TARGET_PASSED": RuleText("The price is at the target already", "Beyond the last price"),
    "TRAIL_OFF_TICK": RuleText("The distance is not a multiple of the tick", "The nearest tick"),
    "TRAIL_TOO_NEAR": RuleText("The distance is too small for the price", "The smallest distance"),
    "TOO_MANY_GTT": RuleText("So many GTTs may wait", "Cancel one first"),
    "NOTHING_TO_EXIT": RuleText(
        "More than the position or the holding has open", "As much as it has, or less"
    ),
    "EXIT_WAITS": RuleText(
        "Orders that close the same position are at the exchange", "It goes when they have ended"
    ),
    # The account.
    "INSUFFICIENT_FUNDS": RuleText("The order needs more cash than is available", "A deposit"),
    "INSUFFICIENT_MARGIN": RuleText("The order needs more margin than is available", "A deposit"),
    "INSUFFICIENT_HOLDINGS": RuleText(
        "More than is held, not pledged and in no open sell", "As much as that, or less"
    ),
    "TOO_MANY_OPEN_ORDERS": RuleText("The account has so many orders open", "Cancel one first"),
    "TOO_MANY_CHANGES": RuleText("The order was changed so often", "Cancel it, place another"),
    "ACCOUNT_HALTED": RuleText("The account is halted", "Nothing until it is active again"),
    "ACCOUNT_REDUCING": RuleText("The account may only close", "Orders that close positions"),
    "KILL_SWITCH_ON": RuleText("Your kill switch is on", "Orders that close; cancels"),
    "STOCK_LIMIT_EXCEEDED": RuleText(
        "More than the account may have in one share", "STOCK_VALUE_MAX of GET /v1/risk/limits"
    ),
    "EXPOSURE_LIMIT_EXCEEDED": RuleText(
        "More than open orders and day positions may come to", "EXPOSURE_MAX of GET /v1/risk/limits"
    ),
    "SELF_TRADE": RuleText(
        "It would trade with an open order of your own", "Cancel that one; another price"
    ),
    "ACCOUNT_UNDER_REVIEW": RuleText(
        "A report of the exchange awaits review", "Cancels; orders when a person has looked at it"
    ),
    "SYMBOL_RESTRICTED": RuleText(
        "The account may only close in the stock for a day, after too many round trips",
        "Orders that close; cancels",
    ),
    "NOTHING_TO_SQUARE_OFF": RuleText("The position is closed already", "Nothing is left to do"),
    # Plans.
    "TOO_MANY_PLANS": RuleText("The account has so many plans open", "Cancel one first"),
    "SLICES_OUT_OF_RANGE": RuleText("So many slices a plan has", "Other legs or intervals"),
    "SLICE_BELOW_LOT": RuleText("Each slice trades a lot at least", "Fewer slices, more shares"),
    "STARTS_IN_THE_PAST": RuleText("The window begins in the past", "Now or later"),
    "WINDOW_EMPTY": RuleText("The window ends before it begins", "A later end"),
    "ENDS_AFTER_SESSION": RuleText("The window outlives the day's trading", "The session's end"),
    "PLAN_ENDED": RuleText("The plan places no more", "A new plan"),
    "PLAN_BUSY": RuleText("An order of the plan works still", "It is carried on"),
    "PLAN_FULL": RuleText("More than is left of the plan", "It is carried on"),
    # Money.
    "INSUFFICIENT_WITHDRAWABLE": RuleText(
        "Only money that is settled and free can leave", "`withdrawable` of GET /v1/funds"
    ),
    "TOO_MANY_PAYMENTS": RuleText("So many payments are under way", "Wait until one has ended"),
}

REASON_CODES: Final[Mapping[str, str]] = {
    "VENUE_REJECTED": "The exchange refused it",
    "VENUE_UNKNOWN_SYMBOL": "The exchange knows no such symbol",
    "VENUE_CLOSED": "The exchange was closed, or halted, as it came",
    "VENUE_LIMIT_EXCEEDED": "It broke a limit of the exchange",
    "VENUE_UNKNOWN_ORDER": "The exchange knows no such order",
    "VENUE_DUPLICATE_ORDER": "The exchange had an order of this number already",
    "VENUE_CANCELLED": "The exchange cancelled it",
    "SELF_TRADE_PREVENTED": "It would have traded with another order of its own account",
    "NOT_FILLED_AT_ONCE": "What an IOC order did not trade at once",
    "TOO_LATE": "The change came after the order had ended at the exchange",
    "CHANGE_IN_FLIGHT": "The exchange was busy with another change of it",
    "VENUE_DUPLICATE_REQUEST": "The exchange had a change of this number already",
    "DAY_ENDED": "The exchange's day ended before it was filled",
    "NEVER_AT_VENUE": "It did not reach the exchange on its trade date",
    "LOST_AT_VENUE": "The exchange lost it; its day is over",
    "CANCEL_AT_DAY_END": "Its day ended before its cancel was answered",
    "SQUARED_OFF": "Cancelled by the end-of-day square-off",
    "KILL_SWITCH": "Cancelled by your kill switch",
    "CANCELLED_BY_PLAN": "Cancelled by the plan that placed it",
    "LIFE_OVER": "Its minutes were over",
    "NOT_TRIGGERED": "What it waited for did not come in time",
    "EXIT_FIRED": "An exit of the position fired and needed its shares",
    "EXIT_REFITTED": "It was for more than there was to exit; another waits for what is left",
    "SIBLING_CANCELLED": "The exit that it waited with was cancelled",
    "SIBLING_FILLED": "The exit that it waited with filled",
    "NOTHING_TO_EXIT": "Nothing was open to be exited",
    "POSITION_CLOSED": "The position that it was to exit was closed",
    "ENTRY_BUSTED": "The exchange took back the trade that it was to exit",
    "OVERFILLED": "The exchange filled more than was ordered",
    "TRADE_BUSTED": "The exchange took back a trade of it",
    "TRADE_CORRECTED": "The exchange corrected a trade of it",
}
