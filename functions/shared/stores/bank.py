"""The bank: money in from a customer's bank account, money out to it.

Invariant: a reference names one payment. Asked twice with it the bank moves money once, so a caller
that got no answer asks again with the same reference, and never with another one. Each question
has a connection of its own: a second answer on a connection reaches nobody's question. A bank that
stays silent is left alone for a while, so that it holds up nobody who wants something else.
"""

import http.client
import json
import time
from typing import Final, Literal, Protocol

import msgspec

from functions.shared.domain.errors import PeerProtocolError, Refused, Retryable
from functions.shared.settings import SettingsError
from functions.shared.stores.peer_link import PeerLink

#: From the first byte sent to the last one read.
ANSWER_SECONDS: Final = 2.0
#: After so many questions in a row without an answer the bank rests for so long.
SILENCES_MOST: Final = 3
REST_SECONDS: Final = 10.0


class BankAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What the bank says of a payment. DONE and REFUSED are final; PENDING is not decided yet.
    `amount` in paise."""

    reference: str
    direction: Literal["IN", "OUT"]
    account: str
    amount: int
    status: Literal["PENDING", "DONE", "REFUSED"]
    reason: str = ""


class Bank(Protocol):
    """`account` names the customer at the bank; `amount` is in paise.

    Both raise Retryable when the outcome is not known (no answer, the bank away: it may have been
    done or not), PeerProtocolError when the answer makes no sense.
    """

    @property
    def rests(self) -> bool:
        """Whether it was silent lately: what can wait is better asked later."""

    def collect(self, reference: str, account: str, amount: int) -> BankAnswer:
        """Takes money in from the customer."""

    def pay(self, reference: str, account: str, amount: int) -> BankAnswer:
        """Pays money out to the customer."""

    def register(self, account: str, number: str, ifsc: str) -> None:
        """Money out to the customer goes to this account from now on, and to no other. Raises
        Refused 422 BANK_REFUSED when the bank doesn't know it."""


_decoder = msgspec.json.Decoder(BankAnswer)


class HttpBank:
    """A bank behind HTTP; every request carries the bearer token."""

    def __init__(
        self,
        url: str,
        token: str,
        *,
        answer_seconds: float = ANSWER_SECONDS,
        rest_seconds: float = REST_SECONDS,
    ) -> None:
        """Raises SettingsError when `url` is no address of a bank."""
        self._link = PeerLink("OUTCRY_BANK_URL", "the bank", url, token, answer_seconds)
        self._rest_seconds = rest_seconds
        self._silences = 0
        self._rests_until = float("-inf")

    @property
    def rests(self) -> bool:
        return time.monotonic() < self._rests_until

    def collect(self, reference: str, account: str, amount: int) -> BankAnswer:
        return self._ask(reference, "IN", account, amount)

    def pay(self, reference: str, account: str, amount: int) -> BankAnswer:
        return self._ask(reference, "OUT", account, amount)

    def register(self, account: str, number: str, ifsc: str) -> None:
        body = json.dumps({"number": number, "ifsc": ifsc})
        status, _ = self._link.put(f"/customers/{account}", body)
        if status == http.client.UNPROCESSABLE_ENTITY:
            raise Refused(422, "BANK_REFUSED", "the bank does not know the account")
        if status != http.client.OK:
            raise PeerProtocolError(f"the bank answered {status} to a customer's account")

    def _ask(
        self, reference: str, direction: Literal["IN", "OUT"], account: str, amount: int
    ) -> BankAnswer:
        body = json.dumps({"direction": direction, "account": account, "amount": amount})
        try:
            status, data = self._link.put(f"/payments/{reference}", body)
        except Retryable:
            self._count_silence()
            raise
        self._silences = 0
        if status != http.client.OK:
            raise PeerProtocolError(f"the bank answered {status} to payment {reference}")
        try:
            answer = _decoder.decode(data)
        except msgspec.MsgspecError as error:
            raise PeerProtocolError(f"the bank's answer can't be read: {error}") from error
        said = (answer.reference, answer.direction, answer.account, answer.amount)
        if said != (reference, direction, account, amount):
            raise PeerProtocolError(f"the bank speaks of another payment than {reference}")
        return answer

    def _count_silence(self) -> None:
        self._silences += 1
        if self._silences >= SILENCES_MOST:
            self._rests_until = time.monotonic() + self._rest_seconds


def open_bank(url: str | None, token: str) -> Bank:
    """The bank at OUTCRY_BANK_URL. Raises SettingsError when it is not set or malformed."""
    if url is None:
        raise SettingsError("OUTCRY_BANK_URL is missing")
    return HttpBank(url, token)
