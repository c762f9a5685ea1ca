"""One's own account, as it stands: an application that waits is asked about on the way."""

from datetime import datetime

from functions.auth.account_answers import (
    AccountAnswer,
    ApplicationAnswer,
    BankAnswer,
    NomineeAnswer,
)
from functions.auth.activate import activate_if_ready, missing_steps
from functions.auth.know_customer import know_customer
from functions.auth.prove import my_login
from functions.shared.access.applications import kyc_check
from functions.shared.access.factors import username_of
from functions.shared.access.personal_data import hidden, personal_fields
from functions.shared.access.recovery_codes import recovery_codes_left
from functions.shared.runtime.composition import Stores


def show_account(stores: Stores, user_id: int, now: datetime) -> AccountAnswer:
    """Raises Refused 401 when the account was closed since."""
    login = my_login(stores, user_id)
    if login.state in {"APPLIED", "VERIFIED"}:
        know_customer(stores, user_id, now)
        activate_if_ready(stores, my_login(stores, user_id))
        login = my_login(stores, user_id)
    fields = personal_fields(stores.shards, stores.secrets, user_id)
    check, bank, pan = kyc_check(stores.shards, user_id), fields.bank(), fields.get("pan")
    return AccountAnswer(
        user_id=str(user_id),
        username=username_of(stores.shards, user_id),
        state=login.state,
        name=fields.get("name"),
        mail=fields.get("mail"),
        phone=fields.get("phone"),
        pan=None if pan is None else hidden(pan),
        date_of_birth=fields.get("date_of_birth"),
        bank=None if bank is None else BankAnswer(number=hidden(bank.number), ifsc=bank.ifsc),
        nominees=[
            NomineeAnswer(name=one.name, relationship=one.relationship, share=one.share)
            for one in fields.nominees()
        ],
        application=None
        if check is None
        else ApplicationAnswer(status=check.state, reason=check.reason),
        recovery_codes_left=recovery_codes_left(stores.shards, user_id),
        missing=missing_steps(stores, login) if check is not None else [],
    )
