"""The routes of an account's life: applying, being known, bank account, nominees, closing."""

from aws_lambda_powertools.event_handler import Response

from functions.auth import accounts
from functions.auth.account_answers import (
    AcceptedAnswer,
    AccountAnswer,
    AppliedAnswer,
    BankRequest,
    ClosureRequest,
    ConfirmationRequest,
    NomineesRequest,
    PersonParticulars,
    SignUpRequest,
)
from functions.auth.api import app
from functions.auth.close_account import close_account
from functions.auth.prove import require_factor
from functions.auth.show_account import show_account
from functions.auth.sign_up import confirm, correct, sign_up
from functions.shared.access.throttle import network_of
from functions.shared.clock import wall_now
from functions.shared.domain.errors import Refused
from functions.shared.runtime import composition
from functions.shared.runtime.described import described
from functions.shared.runtime.http import (
    BEARER,
    PUBLIC,
    client_address,
    needs,
    no_content,
    principal,
)

_PROVEN = {403: ["SCOPE_MISSING", "FACTOR_REFUSED"], 429: ["TOO_MANY_REQUESTS"]}
_TAGS = ["Account"]


@app.post(
    "/v1/accounts",
    security=PUBLIC,
    summary="Apply for an account",
    tags=_TAGS,
    status_code=202,
    responses=described(
        {202: AppliedAnswer},
        {409: ["USERNAME_TAKEN"], 422: ["PASSWORD_TOO_WEAK", "TOO_YOUNG", "MAIL_REFUSED"],
         429: ["TOO_MANY_REQUESTS"]},
    ),
)  # fmt: skip
def post_account(body: SignUpRequest) -> AppliedAnswer:
    """A mail says how to go on. Whether the address has an account already is told to nobody but
    whoever reads it."""
    return sign_up(composition.stores(), body, _network(), wall_now())


@app.post(
    "/v1/accounts/confirmation",
    security=PUBLIC,
    summary="Confirm a mail address",
    tags=_TAGS,
    responses=described(
        {200: AcceptedAnswer},
        {409: ["MAIL_IN_USE"], 422: ["MAILED_TOKEN_INVALID"], 429: ["TOO_MANY_REQUESTS"]},
    ),
)
def post_confirmation(body: ConfirmationRequest) -> AcceptedAnswer:
    """With the token of the mail; from then on one can log in, by the password alone, and enrol an
    authenticator (`POST /v1/auth/totp`) and a bank account."""
    confirm(composition.stores(), body.token, _network(), wall_now())
    return AcceptedAnswer()


@app.get(
    "/v1/account",
    security=BEARER,
    summary="My account",
    tags=_TAGS,
    responses=described({200: AccountAnswer}, {403: ["FORBIDDEN"]}),
)
def get_account() -> AccountAnswer:
    """Its state, and one's own particulars with PAN and bank account hidden but for the last four
    characters. A program is not told them, whatever its scopes."""
    me = principal(app)
    if me.kind != "PERSON":
        raise Refused(403, "FORBIDDEN", "particulars are shown to their owner alone")
    return show_account(composition.stores(), me.user_id, wall_now())


@app.put(
    "/v1/account/application",
    security=needs("account"),
    summary="Correct a refused application",
    tags=_TAGS,
    responses=described({200: AccountAnswer}, {409: ["NOT_REFUSED"], 422: ["TOO_YOUNG"]}),
)
def put_application(body: PersonParticulars) -> AccountAnswer:
    """Other particulars, which are checked anew."""
    stores, me, now = composition.stores(), principal(app), wall_now()
    correct(stores, me.user_id, body, _network(), now)
    return show_account(stores, me.user_id, now)


@app.put(
    "/v1/account/bank",
    security=needs("account"),
    summary="Put a bank account on file",
    tags=_TAGS,
    responses=described(
        {200: AccountAnswer},
        {**_PROVEN, 409: ["TOTP_NOT_ENROLLED", "ACCOUNT_FROZEN", "BANK_CHANGING"],
         422: ["BANK_REFUSED"]},
    ),
)  # fmt: skip
def put_bank(body: BankRequest) -> AccountAnswer:
    """The one account that withdrawals go to. It asks for the second factor, and is mailed. Until
    the bank has taken it there are no withdrawals; a change that is cut off goes on by itself."""
    stores, me, now = composition.stores(), principal(app), wall_now()
    login = require_factor(stores, me.user_id, body, _network(), now)
    accounts.put_bank(stores, login, body, _network())
    return show_account(stores, me.user_id, now)


@app.put(
    "/v1/account/nominees",
    security=needs("account"),
    summary="Name nominees",
    tags=_TAGS,
    responses=described(
        {200: AccountAnswer}, {**_PROVEN, 409: ["TOTP_NOT_ENROLLED", "ACCOUNT_FROZEN"]}
    ),
)
def put_nominees(body: NomineesRequest) -> AccountAnswer:
    """All of them at once, their shares 100 percent together; none for no nomination."""
    stores, me, now = composition.stores(), principal(app), wall_now()
    require_factor(stores, me.user_id, body, _network(), now)
    accounts.put_nominees(stores, me.user_id, body, _network())
    return show_account(stores, me.user_id, now)


@app.post(
    "/v1/account/closure",
    security=needs("account"),
    summary="Close my account",
    tags=_TAGS,
    status_code=204,
    responses=described(
        {204: None},
        {**_PROVEN, 409: ["TOTP_NOT_ENROLLED", "ACCOUNT_FROZEN"], 422: ["ACCOUNT_NOT_EMPTY"]},
    ),
)
def post_closure(body: ClosureRequest) -> Response[str]:
    """For good. Refused while there is money, a holding, an order or a payment; each is said."""
    stores, me = composition.stores(), principal(app)
    require_factor(stores, me.user_id, body, _network(), wall_now())
    close_account(stores, me.user_id, _network())
    return no_content()


def _network() -> str:
    return network_of(client_address(app))
