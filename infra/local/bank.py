"""The bank as a part of the stack: its token, how it is started, how it is told to behave.

Invariant: the token is made once and kept as a secret, where the functions that move money read it;
the bank itself reads the same file.
"""

import contextlib
import http.client
import json
import secrets
from urllib.parse import urlsplit

from functions.shared.domain.errors import Conflict
from functions.shared.stores.secrets import FileSecrets, Secrets
from infra.local.home import Home

_TOKEN = "bank-token"  # noqa: S105  the secret's name
#: What the registry of PANs asks for, which the simulated bank fronts.
_KYC_TOKEN = "kyc-token"  # noqa: S105
_ANSWER_SECONDS = 5.0


class BankSilent(Exception):
    """The bank did not do as it was told; the message says why."""


def make_bank_token(kept: Secrets) -> None:
    """Makes what callers of the bank must show, unless there is one. Raises Retryable."""
    with contextlib.suppress(Conflict):  # made at an earlier start
        kept.put_new(_TOKEN, secrets.token_urlsafe(24))
    with contextlib.suppress(Conflict):
        kept.put_new(_KYC_TOKEN, kept.get(_TOKEN))


def read_bank_token(home: Home) -> str:
    """Raises NotFound before the first start."""
    return FileSecrets(home.secrets).get(_TOKEN)


def bank_arguments(home: Home, address: str) -> list[str]:
    """The command line of a bank that listens on `HOST:PORT` and keeps its journal in this home."""
    return [
        *("--listen", address),
        *("--state", str(home.path / "bank")),
        *("--token-file", str(home.secrets / _TOKEN)),
    ]


def tell_bank(url: str, token: str, behaviour: str, times: int | None, seconds: float) -> None:
    """Tells a running bank how to behave. Raises BankSilent when it does not take it."""
    place = urlsplit(url)
    connection = http.client.HTTPConnection(
        place.hostname or "", place.port, timeout=_ANSWER_SECONDS
    )
    told = json.dumps({"behaviour": behaviour, "times": times, "seconds": seconds})
    try:
        connection.request("PUT", "/behaviour", told, {"Authorization": f"Bearer {token}"})
        answer = connection.getresponse()
        text = answer.read(1_000).decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        raise BankSilent(f"the bank does not answer: {error}") from error
    finally:
        connection.close()
    if answer.status != http.client.OK:
        raise BankSilent(f"the bank says {_detail(text)}")


def _detail(answer: str) -> str:
    """The words of a refusal, or all of it when it is not one of the bank's."""
    try:
        return str(json.loads(answer)["detail"])
    except (ValueError, TypeError, KeyError):
        return answer
