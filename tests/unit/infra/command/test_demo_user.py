"""`outcry demo-user`: what signs the demo user in."""

from pathlib import Path

import msgspec
import pyotp
import pytest

from infra.command.exits import NOT_REACHABLE, WRONG_USAGE, Failure
from infra.command.main import demo_user
from infra.local.home import DemoUser, Home

USER = DemoUser(username="demo", password="p", totp_secret="JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setenv("OUTCRY_HOME", str(tmp_path))
    made = Home(tmp_path)
    made.create()
    return made


def test_the_code_of_the_moment_is_printed_alone(
    place: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    place.write(place.demo_user_file, msgspec.json.encode(USER))
    demo_user(code=True)
    code = capsys.readouterr().out.removesuffix("\n")
    assert pyotp.TOTP(USER.totp_secret).verify(code, valid_window=1)


def test_a_code_needs_a_demo_user_and_nothing_beside_it(place: Home) -> None:
    with pytest.raises(Failure) as missing:
        demo_user(code=True)
    with pytest.raises(Failure) as mixed:
        demo_user(code=True, count=2)
    with pytest.raises(Failure) as both:
        demo_user(code=True, qr=True)
    codes = (missing.value.code, mixed.value.code, both.value.code)
    assert codes == (NOT_REACHABLE, WRONG_USAGE, WRONG_USAGE)
