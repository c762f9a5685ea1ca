"""Which passwords are taken (ASVS 5.0: 6.2.1, 6.2.5, 6.2.9, 6.2.12)."""

import pytest

from functions.auth.password_rules import require_good_password
from functions.shared.domain.errors import Refused


@pytest.mark.parametrize(
    "password",
    ["password", "PassWord", "12345678", "qwertyuiop", "iloveyou1", "short", "my-asha-password",
     "\uff50assword", "x" * 129],
)  # fmt: skip
def test_what_an_attacker_tries_first_is_refused(password: str) -> None:
    with pytest.raises(Refused) as refused:
        require_good_password(password, "asha")
    assert (refused.value.status, refused.value.code) == (422, "PASSWORD_TOO_WEAK")


@pytest.mark.parametrize(
    "password", ["aaaaaaab", "correct horse", "यह मेरा पासवर्ड है", "x" * 128, "PASSWORD is long"]
)
def test_nothing_is_asked_of_its_composition(password: str) -> None:
    require_good_password(password, "asha")
