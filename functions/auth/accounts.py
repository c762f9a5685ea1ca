"""What an account's owner puts on file: the bank account and the nominees.

Invariant: an account is on the audit trail before the bank is told of it, and its owner is mailed
before it counts; cut off anywhere, the schedule goes on, and until then no money goes out.
"""

from functions.auth.account_answers import BankRequest, NomineesRequest
from functions.auth.activate import activate_if_ready
from functions.auth.notices import BANK, FIRST_BANK, NOMINEES, notify
from functions.shared.access.accounts import Login
from functions.shared.access.bank_changes import (
    BankChange,
    begin_bank_change,
    claim_bank_change,
    end_bank_change,
)
from functions.shared.access.personal_data import (
    BankAccount,
    Nominee,
    change_nominees,
    personal_fields,
)
from functions.shared.domain.errors import Conflict, Refused
from functions.shared.runtime.composition import Stores


def put_bank(stores: Stores, login: Login, asked: BankRequest, network: str) -> None:
    """Raises Refused 422 BANK_REFUSED when the bank doesn't take the account; Conflict
    (BANK_CHANGING while an earlier change is under way, ACCOUNT_FROZEN)."""
    account = BankAccount(asked.number, asked.ifsc)
    change = begin_bank_change(stores.shards, stores.secrets, login.user_id, account, network)
    if change is None:
        finish_bank_change(stores, login.user_id)
        change = begin_bank_change(stores.shards, stores.secrets, login.user_id, account, network)
    if change is None:
        raise Conflict("BANK_CHANGING", "an earlier change is not done yet; try in a minute")
    if not _register(stores, change):
        raise Refused(422, "BANK_REFUSED", "the bank does not know the account")
    activate_if_ready(stores, login)


def finish_bank_change(stores: Stores, user_id: int) -> bool:
    """Goes on with a change that was cut off. False when there is none, or somebody is at it.
    Raises Retryable, PeerProtocolError, NotFound: it is as due as before."""
    change = claim_bank_change(stores.shards, stores.secrets, user_id)
    if change is None:
        return False
    _register(stores, change)
    return True


def put_nominees(stores: Stores, user_id: int, asked: NomineesRequest, network: str) -> None:
    """Raises Conflict (ACCOUNT_FROZEN)."""
    nominees = [Nominee(one.name, one.relationship, one.share) for one in asked.nominees]
    change_nominees(stores.shards, stores.secrets, user_id, nominees, network)
    notify(stores, user_id, NOMINEES)


def _register(stores: Stores, change: BankChange) -> bool:
    """Tells the bank, and ends the change by its word: whether the bank has taken the account.
    Told twice, the bank has it once, and the owner a second mail."""
    account = change.account
    try:
        stores.bank.register(str(change.user_id), account.number, account.ifsc)
    except Refused:
        end_bank_change(stores.shards, change, taken=False)
        return False
    had_one = personal_fields(stores.shards, stores.secrets, change.user_id).has("bank")
    notify(stores, change.user_id, BANK if had_one else FIRST_BANK)
    end_bank_change(stores.shards, change, taken=True)
    return True
