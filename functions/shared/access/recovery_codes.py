"""Recovery codes: ten at a time, each of which stands in for the authenticator once.

Invariant: a code has 120 bits from the system's generator, so that its plain digest can be stored
(ASVS 5.0, 6.5.2 asks for 112); it is shown once, and typed without regard to case and dashes.
"""

import base64
import hashlib
import os
import re
from typing import Final

from functions.shared.stores.postgres import Shards

CODES: Final = 10
_BYTES: Final = 15
_GROUP: Final = 4
_CODE: Final = re.compile("[A-Z2-7]{24}")


def new_recovery_codes() -> list[str]:
    """Codes of six groups of four letters and digits."""
    return [_grouped(base64.b32encode(os.urandom(_BYTES)).decode()) for _ in range(CODES)]


def recovery_digest(user_id: int, code: str) -> bytes:
    """As it is stored: bound to its user."""
    return hashlib.sha256(f"{user_id}:{_plain(code)}".encode()).digest()


def put_recovery_codes(shards: Shards, user_id: int, network: str) -> list[str]:
    """Makes ten new ones; the old ones are void."""
    codes = new_recovery_codes()
    shards.control.run(
        "SELECT identity.put_recovery_codes(:user::bigint, :codes::bytea[], :network::text)",
        user=user_id,
        codes=[recovery_digest(user_id, code) for code in codes],
        network=network,
    )
    return codes


def use_recovery_code(shards: Shards, user_id: int, code: str, network: str) -> bool:
    """True for the one caller that uses a code up."""
    if _CODE.fullmatch(_plain(code)) is None:
        return False
    rows = shards.control.run(
        "SELECT identity.use_recovery_code(:user::bigint, :digest::bytea, :network::text)",
        user=user_id,
        digest=recovery_digest(user_id, code),
        network=network,
    )
    return bool(rows[0][0])


def recovery_codes_left(shards: Shards, user_id: int) -> int:
    rows = shards.control.run(
        "SELECT count(*) FROM identity.recovery_code WHERE user_id = :user::bigint", user=user_id
    )
    return int(rows[0][0])


def _plain(code: str) -> str:
    return code.replace("-", "").replace(" ", "").upper()


def _grouped(text: str) -> str:
    return "-".join(text[at : at + _GROUP] for at in range(0, len(text), _GROUP))
