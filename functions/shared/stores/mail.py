"""Mail to users, by SES or a stand-in that speaks its protocol.

Invariant: a mail is handed over once a call; whether to send it again is the caller's to decide.
An address never appears in an error.
"""

from typing import Final

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from functions.shared.domain.errors import Refused, Retryable
from functions.shared.settings import SettingsError

_CONFIG: Final = Config(connect_timeout=2, read_timeout=5, retries={"total_max_attempts": 1})
#: Codes by which SES says that this mail will never go, whoever asks again.
_FINAL: Final = frozenset({"MessageRejected", "InvalidParameterValue"})
STAND_IN_REGION: Final = "us-east-1"


class Mail:
    """Sends from one verified address."""

    def __init__(self, sender: str, *, region: str, endpoint: str | None = None) -> None:
        self._sender = sender
        self._client = boto3.client(
            "ses", region_name=region, endpoint_url=endpoint, config=_CONFIG
        )

    def send(self, to: str, subject: str, text: str) -> None:
        """Hands over one plain-text mail.

        Raises Refused 422 (MAIL_REFUSED) when it will never be taken, Retryable otherwise.
        """
        try:
            self._client.send_email(
                Source=self._sender,
                Destination={"ToAddresses": [to]},
                Message={
                    "Subject": {"Data": subject, "Charset": "UTF-8"},
                    "Body": {"Text": {"Data": text, "Charset": "UTF-8"}},
                },
            )
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code in _FINAL:
                raise Refused(422, "MAIL_REFUSED", "the mail was refused") from error
            raise Retryable(f"the mail was not taken: {code}") from error
        except BotoCoreError as error:
            raise Retryable(f"the mail was not taken: {type(error).__name__}") from error


def open_mail(url: str, sender: str) -> Mail:
    """`http://HOST:PORT` of a stand-in, or `aws:REGION`. Raises SettingsError otherwise."""
    if url.startswith(("http://", "https://")):
        return Mail(sender, region=STAND_IN_REGION, endpoint=url)
    if url.startswith("aws:"):
        return Mail(sender, region=url.removeprefix("aws:"))
    raise SettingsError("OUTCRY_MAIL_URL: neither http://HOST:PORT nor aws:REGION")
