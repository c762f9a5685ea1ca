"""From verified to active: the account opens once its owner can prove themselves and be paid.

Invariant: the ledger's account is open before the state says so, so an active person always has
one; run twice, or cut off in between, it ends the same.
"""

from typing import Literal

from functions.auth.notices import ACTIVE, notify
from functions.shared.access.accounts import Login
from functions.shared.access.people import activate_person
from functions.shared.access.personal_data import personal_fields
from functions.shared.bookkeeping.accounts import open_account
from functions.shared.runtime.composition import Stores

Step = Literal["TOTP", "BANK_ACCOUNT"]


def missing_steps(stores: Stores, login: Login) -> list[Step]:
    """What the person themselves has yet to do: `TOTP`, `BANK_ACCOUNT`."""
    steps: list[Step] = []
    if login.sealed_totp_secret is None:
        steps.append("TOTP")
    if not personal_fields(stores.shards, stores.secrets, login.user_id).has("bank"):
        steps.append("BANK_ACCOUNT")
    return steps


def activate_if_ready(stores: Stores, login: Login) -> None:
    """Opens the account of a verified person who has enrolled."""
    if login.state != "VERIFIED" or missing_steps(stores, login):
        return
    open_account(stores.shards, login.user_id, stores.clock.now())
    if activate_person(stores.shards, stores.valkey, login.user_id).moved:
        notify(stores, login.user_id, ACTIVE)
