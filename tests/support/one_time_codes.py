"""One-time codes by RFC 6238 alone, for tests of what checks them: it shares no code with that."""

import base64
import hmac
import shutil
import struct
import subprocess
from datetime import UTC, datetime
from typing import Final

STEP_SECONDS: Final = 30


def code_at(secret: str, at: datetime, digits: int = 6) -> str:
    """The code of the step that `at` lies in. `secret`: base 32, as an authenticator takes it."""
    counter = struct.pack(">Q", int(at.timestamp()) // STEP_SECONDS)
    digest = hmac.digest(base64.b32decode(secret), counter, "sha1")
    offset = digest[-1] & 0x0F  # RFC 4226, 5.3
    number: int = struct.unpack(">I", digest[offset : offset + 4])[0] & 0x7FFFFFFF
    return f"{number % 10**digits:0{digits}}"


def oathtool_code_at(secret: str, at: datetime) -> str | None:
    """The same by oathtool; None where it isn't installed."""
    if (tool := shutil.which("oathtool")) is None:
        return None
    moment = at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    done = subprocess.run(
        [tool, "--totp", "--base32", "--now", moment, secret],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout.strip()
