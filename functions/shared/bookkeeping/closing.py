"""What keeps an account open: whatever is still the owner's, or owed by them, or under way."""

from collections.abc import Mapping
from typing import Final

from functions.shared.stores.postgres import Shards

#: What a remnant is called, and whether there is any.
_REMNANTS: Final[Mapping[str, str]] = {
    "MONEY": "SELECT FROM ledger.account WHERE user_id = :user_id AND cash + held + unsettled > 0",
    "DEBT": "SELECT FROM ledger.account WHERE user_id = :user_id AND borrowed > 0",
    "HOLDINGS": "SELECT FROM ledger.holding WHERE user_id = :user_id AND quantity > 0",
    "POSITIONS": "SELECT FROM ledger.position WHERE user_id = :user_id AND net <> 0",
    "OPEN_ORDERS": "SELECT FROM ledger.account WHERE user_id = :user_id AND open_orders > 0",
    "PLANS": (
        "SELECT FROM ledger.plan WHERE user_id = :user_id AND state IN ('ACTIVE', 'CANCELLING')"
    ),
    "PAYMENTS": (
        "SELECT FROM ledger.payment WHERE user_id = :user_id AND state IN ('REQUESTED', 'SENT')"
    ),
    "SHORTAGES": "SELECT FROM ledger.shortage WHERE user_id = :user_id AND closed_seq IS NULL",
    "CHARGES_TO_COME": "SELECT FROM ledger.contract_note_due WHERE user_id = :user_id",
    "UNDER_REVIEW": "SELECT FROM ledger.parked_execution WHERE user_id = :user_id",
}
_SQL: Final = "SELECT " + ", ".join(f"EXISTS ({sql})" for sql in _REMNANTS.values())


def what_remains(shards: Shards, user_id: int) -> list[str]:
    """Each kind of thing that is left, of MONEY, DEBT, HOLDINGS, POSITIONS, OPEN_ORDERS, PLANS,
    PAYMENTS, SHORTAGES, CHARGES_TO_COME and UNDER_REVIEW; none for a user without an account."""
    found = shards.of_user(user_id).run(_SQL, user_id=user_id)[0]
    return [name for name, there in zip(_REMNANTS, found, strict=True) if there]
