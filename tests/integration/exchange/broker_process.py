"""A broker's FIX engine for the tests: quickfix, with messages as JSON lines on stdin and stdout.

It never replays orders, as the dialect asks of brokers. It logs out and ends when stdin ends.
"""

import json
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

import quickfix as fix

DICTIONARIES = Path(__file__).parents[3] / "infra" / "fix"
_writing = threading.Lock()


def say(kind: str, value: object) -> None:
    """Write one line for the test."""
    with _writing:
        sys.stdout.write(json.dumps([kind, value]) + "\n")
        sys.stdout.flush()


class Application(fix.Application):  # type: ignore[misc]
    """Tells the test what the venue says."""

    def onCreate(self, session_id: Any) -> None: ...  # noqa: N802
    def toAdmin(self, message: Any, session_id: Any) -> None: ...  # noqa: N802

    def onLogon(self, session_id: Any) -> None:  # noqa: N802
        say("logged_on", True)

    def onLogout(self, session_id: Any) -> None:  # noqa: N802
        say("logged_on", False)

    def toApp(self, message: Any, session_id: Any) -> None:  # noqa: N802
        if message.getHeader().isSetField(43):
            raise fix.DoNotSend

    def fromAdmin(self, message: Any, session_id: Any) -> None:  # noqa: N802
        say("admin", tags(message))

    def fromApp(self, message: Any, session_id: Any) -> None:  # noqa: N802
        say("app", tags(message))


def tags(message: Any) -> dict[str, str]:
    """Return a message's tags; the dialect's order messages repeat none."""
    pairs = (field.partition("=") for field in message.toString().split("\x01") if field)
    return {tag: value for tag, _, value in pairs}


def main(folder: Path, port: int, name: str, expect: int) -> None:
    """Log on and send what stdin says."""
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / f"{name}.cfg"
    version = "FIX.4.2" if name.startswith("OUTCRY-L") else "FIX.4.4"
    dictionary = DICTIONARIES / f"{version.replace('.', '')}.xml"
    config.write_text(
        f"[DEFAULT]\nConnectionType=initiator\nBeginString={version}\nNonStopSession=Y\n"
        f"SenderCompID={name}\nTargetCompID=XNSE\nHeartBtInt=10\nReconnectInterval=1\n"
        f"SocketConnectHost=127.0.0.1\nSocketConnectPort={port}\nSocketNodelay=Y\n"
        f"FileStorePath={folder / 'store'}\nUseDataDictionary=Y\nDataDictionary={dictionary}\n"
        "TimestampPrecision=3\n[SESSION]\n"
    )
    application, settings = Application(), fix.SessionSettings(str(config))
    stores = fix.FileStoreFactory(settings)
    initiator = fix.SocketInitiator(application, stores, settings)
    session_id = fix.SessionID(version, name, "XNSE")
    session = fix.Session.lookupSession(session_id)
    if expect:
        session.setNextTargetMsgSeqNum(expect)
    initiator.start()
    for line in sys.stdin:
        raw, poss_resend = json.loads(line)
        message = fix.Message()
        message.setString(raw, False)
        if poss_resend:
            message.getHeader().setField(97, "Y")
        fix.Session.sendToTarget(message, session_id)
    session.logout("bye")
    deadline = time.monotonic() + 60
    while session.isLoggedOn() and time.monotonic() < deadline:
        time.sleep(0.02)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3], int(sys.argv[4]))
    os._exit(0)
