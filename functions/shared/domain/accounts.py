"""The classes of clients, by which the ledger's dated rows say how many orders they may place."""

from enum import StrEnum


class AccountClass(StrEnum):
    """RETAIL: ten orders a second, without a registered strategy. REGISTERED_ALGO: as the exchange
    registered it. TEST: without limits, on paper only, for load."""

    RETAIL = "RETAIL"
    REGISTERED_ALGO = "REGISTERED_ALGO"
    TEST = "TEST"
