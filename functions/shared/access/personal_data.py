"""What identifies a person: sealed field by field under their own key, found by keyed digests.

Invariant: nothing here is stored, sent on or logged in the clear. A field is opened for the person
themselves and for the provider that verifies them, and shown with its middle hidden.
"""

import hashlib
import hmac
from collections.abc import Mapping
from typing import Final, Literal

import msgspec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from functions.shared.access.keys import IDENTITY_KEY_BYTES, identity_key
from functions.shared.access.personal_keys import PersonalKey
from functions.shared.domain.errors import Conflict, NotFound
from functions.shared.stores.postgres import Shards
from functions.shared.stores.secrets import Secrets

Field = Literal["name", "mail", "phone", "pan", "date_of_birth", "bank", "nominees"]
_SHOWN: Final = 4


class BankAccount(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The one account that withdrawals go to."""

    number: str
    ifsc: str


class Nominee(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who is given the account's holdings after the owner's death. `share` in percent."""

    name: str
    relationship: str
    share: int


class PersonalFields:
    """One person's fields, opened with their key for as long as a request needs them."""

    def __init__(self, key: PersonalKey, sealed: Mapping[str, bytes]) -> None:
        self._key = key
        self._sealed = sealed

    def has(self, field: Field) -> bool:
        return field in self._sealed

    def get(self, field: Field) -> str | None:
        """None for a field that was never given."""
        sealed = self._sealed.get(field)
        return None if sealed is None else self._key.decrypt(field, sealed)

    def bank(self) -> BankAccount | None:
        text = self.get("bank")
        return None if text is None else msgspec.json.decode(text, type=BankAccount)

    def nominees(self) -> list[Nominee]:
        text = self.get("nominees")
        return [] if text is None else msgspec.json.decode(text, type=list[Nominee])


def personal_fields(shards: Shards, secrets: Secrets, user_id: int) -> PersonalFields:
    """Raises NotFound for nobody, and for a person who was erased."""
    key = personal_key(shards, secrets, user_id)
    rows = shards.control.run(
        "SELECT field, sealed FROM identity.personal WHERE user_id = :user::bigint", user=user_id
    )
    return PersonalFields(key, {field: bytes(sealed) for field, sealed in rows})


def personal_key(shards: Shards, secrets: Secrets, user_id: int) -> PersonalKey:
    """Raises NotFound for nobody, and for a person whose key was destroyed."""
    rows = shards.control.run(
        "SELECT wrapped_key FROM identity.person WHERE user_id = :user::bigint", user=user_id
    )
    if not rows or rows[0][0] is None:
        raise NotFound("there is no such person")
    return PersonalKey.unwrap(user_id, bytes(rows[0][0]), identity_key(secrets))


def change_nominees(
    shards: Shards, secrets: Secrets, user_id: int, nominees: list[Nominee], network: str
) -> None:
    """Sets them, and tells the audit trail. Raises Conflict (ACCOUNT_FROZEN) when the account was
    frozen or closed meanwhile."""
    text = msgspec.json.encode(nominees).decode()
    [[changed]] = shards.control.run(
        "SELECT identity.change_personal(:user::bigint, 'nominees', :sealed::bytea,"
        " :network::text, clock_timestamp())",
        user=user_id,
        sealed=personal_key(shards, secrets, user_id).encrypt("nominees", text),
        network=network,
    )
    if not changed:
        raise Conflict("ACCOUNT_FROZEN", "the account was frozen; write to us")


def mail_digest(secrets: Secrets, mail: str) -> bytes:
    """What a mail address is found by; capitals make no other address."""
    return _digest(secrets, "mail", mail.strip().lower())


def pan_digest(secrets: Secrets, pan: str) -> bytes:
    """What tells that two people gave one PAN."""
    return _digest(secrets, "pan", pan)


def bank_digest(secrets: Secrets, account: BankAccount) -> bytes:
    """What tells that two people are paid to one account."""
    return _digest(secrets, "bank", f"{account.ifsc} {account.number}")


def hidden(text: str) -> str:
    """All but the last four characters as stars."""
    return "*" * max(0, len(text) - _SHOWN) + text[-_SHOWN:]


def _digest(secrets: Secrets, kind: str, text: str) -> bytes:
    """HMAC-SHA256 under a key of its own kind, drawn from the identity key (RFC 5869)."""
    expand = HKDFExpand(SHA256(), IDENTITY_KEY_BYTES, f"outcry lookup of {kind}".encode())
    return hmac.digest(expand.derive(identity_key(secrets)), text.encode(), hashlib.sha256)
