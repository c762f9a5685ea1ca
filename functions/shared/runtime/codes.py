"""The one list of error codes that a client may meet in an answer, each with its title.

Invariant: a code never changes its meaning and is never taken off the list. Codes of order rules
(`rules[].code`) are listed with the rules.
"""

from collections.abc import Mapping
from typing import Final

CODES: Final[Mapping[str, str]] = {
    # The request itself.
    "NOT_JSON": "The body is not JSON",
    "INVALID_NUMBER": "A number is not plain digits",
    "INVALID_REQUEST": "The request is malformed",
    "UNSUPPORTED_MEDIA_TYPE": "The body must be application/json",
    "TOO_LARGE": "The request is too large",
    "NOT_FOUND": "Not found",
    "METHOD_NOT_ALLOWED": "The route has no such method",
    "RESERVED_ID": "The id is of those that the broker makes itself",
    "UNKNOWN_SYMBOL": "The symbol is not listed here",
    # Who asks.
    "TOKEN_MISSING": "A bearer token is needed",
    "TOKEN_INVALID": "The bearer token is not valid",
    "TOKEN_EXPIRED": "The bearer token has expired",
    "SESSION_ENDED": "The session has ended",
    "INVALID_CREDENTIALS": "The user name, password or code is not right",
    "LOGIN_HELD": "The login is held until a mailed code comes back",
    "CHALLENGE_WRONG": "The mailed code is not right",
    "CHALLENGE_ENDED": "The held login is over; log in again",
    "REFRESH_INVALID": "The refresh token is not valid",
    "REFRESH_REUSED": "The refresh token was used before; its session has ended",
    "USERNAME_TAKEN": "The user name is taken",
    "MAIL_IN_USE": "There is an account with this mail address",
    "PASSWORD_TOO_WEAK": "The password is too easily guessed",
    "TOO_YOUNG": "An account is for people of 18 and more",
    "MAILED_TOKEN_INVALID": "The mailed token is not valid, or no longer",
    "RESET_REFUSED": "The mailed token or the second factor is not right",
    "TOTP_NOT_ENROLLED": "No authenticator is enrolled yet",
    "TOTP_NOT_OFFERED": "There is no authenticator to confirm, or no longer",
    "FACTOR_REFUSED": "The password, one-time code or recovery code is not right",
    "NOT_REFUSED": "The application was not refused",
    "ACCOUNT_NOT_EMPTY": "There is still something in the account",
    "ACCOUNT_FROZEN": "The account is frozen",
    "BANK_CHANGING": "The bank is being told of another account",
    "MAIL_REFUSED": "The mail was refused",
    "FORBIDDEN": "Not allowed",
    "SCOPE_MISSING": "The session may not do this",
    "TOO_MANY_KEYS": "There are as many API keys as one may have",
    "ALGO_NOT_REGISTERED": "The strategy is not registered",
    "ROLE_MISSING": "This takes a role that you do not hold",
    "OWN_ACCOUNT": "Your own account is not yours to act on",
    "OWN_REQUEST": "Another officer has to decide it",
    "ADDRESS_NOT_ALLOWED": "The key is not used from this address",
    "WRONG_REGION": "The user is at home in another region",
    "TOO_MANY_REQUESTS": "Too many requests",
    # What officers do.
    "STATE_MOVED": "The account is not in the state that it takes",
    "REQUEST_DECIDED": "The request was decided before",
    "REQUEST_EXPIRED": "The request was not decided in time",
    "REQUEST_OPEN": "A request for the same is open",
    "ASKER_LEFT": "Who asked for it does not hold the role any more",
    "NOTHING_TO_DO": "It is so already",
    "ALERT_DECIDED": "The alert was decided before",
    # Orders and money.
    "ORDER_REFUSED": "The order breaks a rule",
    "PRODUCT_NOT_OFFERED": "The product is not offered here",
    "KILL_SWITCH_WAITS": "The kill switch stays on for its time",
    "RATE_LIMITED": "The account places orders faster than it may",
    "NOT_FREE": "More shares than can be pledged",
    "ID_REUSED": "The id was used with another body",
    "VERSION_MOVED": "It has changed since it was read",
    "ORDER_ENDED": "The order has ended",
    "CHANGE_PENDING": "A change of the order is under way",
    "NOT_CHANGEABLE": "An order of this kind can only be cancelled",
    "BELOW_FILLED": "The new quantity is not above what has been filled",
    "PAYMENT_REFUSED": "The payment breaks a rule",
    "BANK_REFUSED": "The bank refused the payment",
    "NO_PRICE": "There is no live price",
    "NEVER_TRADED": "The share has never traded and has no base price",
    "VENUE_UNAVAILABLE": "The exchange can't be reached for this symbol",
    "NO_RULES": "There are no rules for the business date",
    # What is watched.
    "NAME_TAKEN": "Another one has that name",
    "TOO_MANY": "There are as many as there may be",
    "NO_CANDLES": "Candles are not kept here",
    # Our side.
    "UNAVAILABLE": "Not available right now; try again",
    "INTERNAL": "Something is wrong on our side",
}
