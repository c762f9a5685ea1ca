"""What is typed into the ticket, and which fields each type of order has.

Invariant: a field that is not on screen plays no part in the order.
"""

from dataclasses import dataclass

PLAN_TYPES = frozenset({"ICEBERG", "TWAP", "VWAP"})
"""Orders in slices: the broker places each by itself."""
TIMED_TYPES = frozenset({"TWAP", "VWAP"})
"""Plans by a window of time."""
EXIT_TYPES = frozenset({"BRACKET", "OCO"})
"""Two exits, a stop and a target, of which one is to fill: of an entry, or of what is held."""
MARKET_TYPES = frozenset({"MARKET", "STOP"})
"""They name no price: what they trade at is the market's."""
STOP_TYPES = frozenset({"STOP", "STOP_LIMIT"})
"""They wait with the broker until a trade reaches their trigger."""
MAY_NAME_NO_PRICE = PLAN_TYPES | {"BRACKET"}
"""Left empty, their price is the market's."""

TYPES = ("LIMIT", "MARKET", "STOP", "STOP_LIMIT", "BRACKET", "OCO", "ICEBERG", "TWAP", "VWAP")
SIDES = {"BRACKET": ("BUY",), "OCO": ("SELL",)}
"""With delivery only a purchase enters anything, and only a sale leaves it; else both sides."""

FIELDS = (
    "symbol",
    "quantity",
    "trigger_price",
    "price",
    "target_price",
    "legs",
    "minutes",
    "interval_minutes",
    "participation_percent",
)
"""What is typed, and may be wrong, as it stands on screen from the top."""


@dataclass(frozen=True, slots=True)
class Draft:
    """The ticket's fields as they stand, text where text is typed."""

    symbol: str = ""
    side: str = "BUY"
    type: str = "LIMIT"
    quantity: str = ""
    price: str = ""
    trigger_price: str = ""
    product: str = "CNC"
    validity: str = "DAY"
    target_price: str = ""
    legs: str = ""
    minutes: str = ""
    interval_minutes: str = ""
    participation_percent: str = ""

    @property
    def waits(self) -> bool:
        """Whether it, or an exit of it, waits with the broker for a price."""
        is_gtt = self.validity == "GTT" and "validity" in self.fields_of_choice
        return self.type in STOP_TYPES | EXIT_TYPES or is_gtt

    @property
    def follows_trigger(self) -> bool:
        """Whether it has a limit of its own once its trigger is reached: at first the same."""
        return self.waits and self.type not in MARKET_TYPES | {"BRACKET"}

    @property
    def sides(self) -> tuple[str, ...]:
        """The sides that its type can take."""
        return SIDES.get(self.type, ("BUY", "SELL"))

    @property
    def fields_of_choice(self) -> tuple[str, ...]:
        """The choices that it has beside its side and type."""
        return () if self.type in PLAN_TYPES | EXIT_TYPES else ("validity",)

    @property
    def fields(self) -> tuple[str, ...]:
        """Those of FIELDS that it has."""
        shown = {"symbol", "quantity", "price"}
        if self.waits:
            shown.add("trigger_price")
        if self.type in EXIT_TYPES:
            shown.add("target_price")
        if self.type == "ICEBERG":
            shown.add("legs")
        if self.type in TIMED_TYPES:
            shown.update(("minutes", "interval_minutes"))
        if self.type == "VWAP":
            shown.add("participation_percent")
        return tuple(name for name in FIELDS if name in shown)
