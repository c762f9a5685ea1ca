"""`python -m infra.local.mail`: moto's SES in a process of its own, and what was sent through it.

Invariant: it listens on the loopback alone and keeps mail in memory until the stack stops; nothing
is delivered anywhere.
"""

import logging
import signal
import sys
import threading

import httpx
import msgspec

from functions.shared.settings import Settings, split_address
from functions.shared.stores.mail import STAND_IN_REGION


class MailSettings(Settings, frozen=True, kw_only=True):
    """`listen` answers SES calls; its /moto-api/ tells what was sent."""

    listen: str
    mail_sender: str = "no-reply@outcry.example"


class Mail(msgspec.Struct, frozen=True, kw_only=True):
    """A message as SES took it."""

    to: list[str]
    subject: str
    body: str


def read_mail(url: str) -> list[Mail]:
    """What was sent since the stack started, oldest first. Raises httpx.HTTPError."""
    answer = httpx.get(f"{url}/moto-api/data.json", timeout=5.0)
    answer.raise_for_status()
    messages = answer.json().get("ses", {}).get("Message", [])
    return [
        Mail(
            to=[str(address) for address in message.get("destinations", {}).get("ToAddresses", [])],
            subject=str(message.get("subject", "")),
            body=str(message.get("body", "")),
        )
        for message in messages
    ]


def main() -> int:
    settings = MailSettings.from_environment()
    host, port = split_address(settings.listen)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    from moto.backends import get_backend
    from moto.core.models import DEFAULT_ACCOUNT_ID
    from moto.server import ThreadedMotoServer  # it takes a second; our own message comes first

    # The supervisor asks every second; only trouble is worth a line.
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    server = ThreadedMotoServer(ip_address=host, port=port, verbose=False)
    server.start()
    # SES sends from verified addresses alone; on AWS that is done once, by hand.
    get_backend("ses")[DEFAULT_ACCOUNT_ID][STAND_IN_REGION].verify_email_identity(
        settings.mail_sender
    )
    stop.wait()
    server.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
