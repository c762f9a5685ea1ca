"""What an authenticator would show for the demo user, and the QR code by which one learns to:
the demo user's, or that of whoever enrols.

The code (ISO/IEC 18004) is drawn two rows of modules a line. Invariant: an otpauth URI of ours, of
a user name as long as they come, fits 80 columns and 24 lines.
"""

import getpass
import sys
from typing import Final

import pyotp
import segno

from infra.command.exits import DONE, WRONG_USAGE, Failure
from infra.local.home import DemoUser

#: The standard asks for 4 modules of quiet zone; 2 read as well, and leave room on the screen.
_BORDER: Final = 2
#: By (upper module is dark, lower is dark). What is light is drawn: most terminals are dark.
_BLOCKS: Final = {
    (False, False): "█",
    (False, True): "▀",
    (True, False): "▄",
    (True, True): " ",
}
_WHITE_ON_BLACK: Final = "\x1b[38;5;231;48;5;16m"
#: Ours have at most 130; what doubles that still fits a code that a phone reads.
_URI_MAX: Final = 300
_PLAIN: Final = "\x1b[0m"


def print_code(user: DemoUser) -> int:
    """The code to type into a sign-in screen."""
    print(pyotp.TOTP(user.totp_secret).now())
    return DONE


def draw(user: DemoUser) -> int:
    """The code to scan; white on black on a terminal, whatever its own colours are."""
    uri = pyotp.TOTP(user.totp_secret).provisioning_uri(name=user.username, issuer_name="Outcry")
    _print_code_of(uri)
    return DONE


def _print_code_of(uri: str) -> None:
    colour, plain = (_WHITE_ON_BLACK, _PLAIN) if sys.stdout.isatty() else ("", "")
    print("\n".join(f"{colour}{line}{plain}" for line in half_blocks(uri)))


def qr() -> int:
    """Draw what an authenticator scans, from the `uri` that POST /v1/auth/totp answered. It is read
    from standard input, because arguments are seen by every process.
    """
    uri = getpass.getpass("uri: ") if sys.stdin.isatty() else sys.stdin.readline(_URI_MAX + 1)
    uri = uri.strip()
    if not uri.startswith("otpauth://") or len(uri) > _URI_MAX:
        raise Failure("that is no otpauth:// address", WRONG_USAGE)
    _print_code_of(uri)
    return DONE


def half_blocks(text: str) -> list[str]:
    """The lines of the code for `text`, at the lowest level of error correction."""
    code = segno.make_qr(text, error="L", boost_error=False)
    rows = [[bool(module) for module in row] for row in code.matrix_iter(border=_BORDER)]
    if len(rows) % 2:
        rows.append([False] * len(rows[0]))
    return [
        "".join(_BLOCKS[pair] for pair in zip(upper, lower, strict=True))
        for upper, lower in zip(rows[::2], rows[1::2], strict=True)
    ]
