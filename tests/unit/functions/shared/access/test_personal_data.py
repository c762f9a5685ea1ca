"""What is shown of a person, what they are found by, and the codes they keep on paper."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.shared.access.keys import make_keys
from functions.shared.access.personal_data import hidden, mail_digest, pan_digest
from functions.shared.access.recovery_codes import new_recovery_codes, recovery_digest
from functions.shared.stores.secrets import FileSecrets


@given(st.text(max_size=40))
def test_no_more_than_four_characters_are_shown(text: str) -> None:
    shown = hidden(text)
    assert len(shown) == len(text)
    assert shown[-4:] == text[-4:]
    assert set(shown[:-4]) <= {"*"}


def test_a_mail_address_is_found_however_it_is_written_and_by_one_broker_alone(
    tmp_path: Path,
) -> None:
    ours, theirs = FileSecrets(tmp_path / "ours"), FileSecrets(tmp_path / "theirs")
    for secrets in (ours, theirs):
        make_keys(secrets)
    assert mail_digest(ours, " Asha@Example.com ") == mail_digest(ours, "asha@example.com")
    assert len({
        mail_digest(ours, "a@example.com"), mail_digest(theirs, "a@example.com"),
        mail_digest(ours, "b@example.com"), pan_digest(ours, "a@example.com"),
    }) == 4  # fmt: skip


def test_recovery_codes_are_long_each_ones_own_and_typed_as_one_likes() -> None:
    codes = new_recovery_codes()
    assert len(set(codes)) == 10
    assert all(len(code.replace("-", "")) * 5 >= 112 for code in codes)  # ASVS 5.0, 6.5.2
    code = codes[0]
    typed = code.lower().replace("-", " ")
    assert recovery_digest(7, typed) == recovery_digest(7, code) != recovery_digest(8, code)


@pytest.mark.parametrize("secret", ["PersonalFields", "Applied", "Login", "Offer"])
def test_what_holds_a_secret_never_shows_it(secret: str) -> None:
    from functions.shared.access import accounts, applications, factors, personal_data

    kind = next(
        getattr(module, secret)
        for module in (accounts, applications, factors, personal_data)
        if hasattr(module, secret)
    )
    assert kind.__repr__ is object.__repr__
