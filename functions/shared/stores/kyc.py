"""Know your customer: a provider that says whether a person is who they say.

Invariant: a reference names one application's check; asked again with it, the provider goes on with
the same check, so a caller that got no answer asks again. What is sent identifies a person: it
goes to the provider alone, and into no error or log.
"""

import http.client
import json
from typing import Final, Literal, Protocol

import msgspec

from functions.shared.domain.errors import PeerProtocolError
from functions.shared.settings import SettingsError
from functions.shared.stores.peer_link import PeerLink

#: From the first byte sent to the last one read.
ANSWER_SECONDS: Final = 2.0


class Particulars(msgspec.Struct, frozen=True, kw_only=True):
    """What is checked. `date_of_birth` as YYYY-MM-DD."""

    name: str
    pan: str
    date_of_birth: str

    def __repr__(self) -> str:
        return "Particulars(...)"


class KycAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """VERIFIED and REFUSED are final; PENDING is not decided yet. `reason` is a code of theirs."""

    reference: str
    status: Literal["PENDING", "VERIFIED", "REFUSED"]
    reason: str = ""


class KycProvider(Protocol):
    """Who is asked about a person."""

    def check(self, reference: str, particulars: Particulars) -> KycAnswer:
        """Raises Retryable when there is no answer, PeerProtocolError when it makes no sense."""


_decoder = msgspec.json.Decoder(KycAnswer)


class HttpKyc:
    """A provider behind HTTP; every request has a connection of its own and the bearer token."""

    def __init__(self, url: str, token: str, *, answer_seconds: float = ANSWER_SECONDS) -> None:
        """Raises SettingsError when `url` is no address of a provider."""
        self._link = PeerLink("OUTCRY_KYC_URL", "the provider", url, token, answer_seconds)

    def check(self, reference: str, particulars: Particulars) -> KycAnswer:
        body = json.dumps(msgspec.to_builtins(particulars))
        status, data = self._link.put(f"/checks/{reference}", body)
        if status != http.client.OK:
            raise PeerProtocolError(f"the provider answered {status} to check {reference}")
        try:
            answer = _decoder.decode(data)
        except msgspec.MsgspecError:  # its text might quote the answer
            raise PeerProtocolError("the provider's answer can't be read") from None
        if answer.reference != reference:
            raise PeerProtocolError(f"the provider speaks of another check than {reference}")
        return answer


def open_kyc(url: str | None, token: str) -> KycProvider:
    """The provider at OUTCRY_KYC_URL. Raises SettingsError when it is not set or malformed."""
    if url is None:
        raise SettingsError("OUTCRY_KYC_URL is missing")
    return HttpKyc(url, token)
