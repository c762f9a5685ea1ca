"""Which key a token is checked by, while keys come and go."""

from datetime import UTC, datetime

import pytest
from joserfc.jwk import OKPKey

from functions.shared.access.keyring import KEEP_SECONDS, REREAD_SECONDS, Keyring
from functions.shared.access.keys import new_signing_key, read_verifying_keys
from functions.shared.access.tokens import issue_token
from functions.shared.domain.errors import InvariantViolated, Retryable


def _key() -> OKPKey:
    made = OKPKey.import_key(new_signing_key())
    return OKPKey.import_key(made.as_pem(private=True), {"kid": made.thumbprint()})


OLD, NEW, STRANGE = _key(), _key(), _key()


def token(key: OKPKey) -> str:
    return issue_token(
        key, user_id=7, session_id="s", roles=(), mode="PAPER", region="IN", scopes=("read",),
        kind="PERSON", now=datetime.now(UTC),
    )  # fmt: skip


class Store:
    """A list of keys that changes, on a clock that is set."""

    def __init__(self) -> None:
        self.keys, self.reads, self.now, self.away = [OLD], 0, 0.0, False

    def read(self) -> list[OKPKey]:
        self.reads += 1
        if self.away:
            raise Retryable("away")
        return list(self.keys)

    def monotonic(self) -> float:
        return self.now


def test_a_new_key_counts_at_once_and_an_old_one_until_it_is_taken_off_the_list() -> None:
    store = Store()
    ring = Keyring(store.read, store.monotonic)
    store.keys, store.now = [NEW, OLD], REREAD_SECONDS
    assert ring.key_of(token(NEW)) is NEW
    assert ring.key_of(token(OLD)) is OLD
    store.keys = [NEW]
    store.now += KEEP_SECONDS
    assert ring.key_of(token(OLD)) is None
    assert ring.key_of(token(NEW)) is NEW


def test_tokens_of_nobody_s_keys_have_the_list_read_once_in_a_while() -> None:
    store = Store()
    ring = Keyring(store.read, store.monotonic)
    forged = [token(STRANGE), "", ".", "e30.e30.e30", "\u20b9"] * 20
    assert {ring.key_of(each) for each in forged} == {None}
    assert store.reads == 1
    store.now = REREAD_SECONDS
    assert {ring.key_of(each) for each in forged} == {None}
    assert store.reads == 2


def test_nobody_is_turned_away_for_good_while_the_list_can_t_be_read() -> None:
    store = Store()
    ring = Keyring(store.read, store.monotonic)
    store.away, store.now = True, REREAD_SECONDS
    with pytest.raises(Retryable):
        ring.key_of(token(NEW))
    assert ring.key_of(token(OLD)) is OLD


def test_the_list_is_public_keys_and_nothing_else() -> None:
    pems = [key.as_pem(private=False).decode() for key in (NEW, OLD)]
    assert [key.kid for key in read_verifying_keys("".join(pems))] == [NEW.kid, OLD.kid]
    for wrong in ("", "\n", pems[0] + NEW.as_pem(private=True).decode()):
        with pytest.raises(InvariantViolated):
            read_verifying_keys(wrong)
