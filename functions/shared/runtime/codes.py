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
    "REFRESH_INVALID": "The refresh token is not valid",
    "REFRESH_REUSED": "The refresh token was used before; its session has ended",
    "USERNAME_TAKEN": "The user name is taken",
    "MAIL_REFUSED": "The mail was refused",
    "FORBIDDEN": "Not allowed",
    "WRONG_REGION": "The user is at home in another region",
    "TOO_MANY_REQUESTS": "Too many requests",
    # Orders and money.
    "ORDER_REFUSED": "The order breaks a rule",
    "PRODUCT_NOT_OFFERED": "The product is not offered here",
    "RATE_LIMITED": "The account places orders faster than it may",
    "NOT_FREE": "More shares than can be pledged",
    "ID_REUSED": "The id was used with another body",
    "VERSION_MOVED": "The order has changed since",
    "ORDER_ENDED": "The order has ended",
    "CHANGE_PENDING": "A change of the order is under way",
    "NOT_CHANGEABLE": "An order of this kind can only be cancelled",
    "BELOW_FILLED": "The new quantity is not above what has been filled",
    "PAYMENT_REFUSED": "The payment breaks a rule",
    "BANK_REFUSED": "The bank refused the payment",
    "NO_PRICE": "There is no live price",
    "VENUE_UNAVAILABLE": "The exchange can't be reached for this symbol",
    "NO_RULES": "There are no rules for the business date",
    # Our side.
    "UNAVAILABLE": "Not available right now; try again",
    "INTERNAL": "Something is wrong on our side",
}
