"""A QR code in the terminal."""

import io

import pyotp
import pytest
import segno
from hypothesis import given
from hypothesis import strategies as st

from functions.shared.access.one_time_codes import new_secret
from infra.command.authenticator import half_blocks, qr
from infra.command.exits import DONE, Failure

_BLOCKS = {"█": (0, 0), "▀": (0, 1), "▄": (1, 0), " ": (1, 1)}


def test_the_uri_of_an_enrolment_is_drawn_from_standard_input(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    uri = pyotp.TOTP(new_secret()).provisioning_uri(name="asha", issuer_name="Outcry")
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{uri}\n"))
    assert qr() == DONE
    assert capsys.readouterr().out.splitlines() == half_blocks(uri)
    for wrong in ("", "https://example.test\n", f"{uri}{'x' * 999}"):
        monkeypatch.setattr("sys.stdin", io.StringIO(wrong))
        with pytest.raises(Failure, match="otpauth"):
            qr()
    assert capsys.readouterr().out == ""


@given(st.text("abcdefghijklmnopqrstuvwxyz0123456789._-", min_size=3, max_size=32))
def test_an_authenticators_code_fits_the_screen_and_is_the_code(username: str) -> None:
    uri = pyotp.TOTP(new_secret()).provisioning_uri(name=username, issuer_name="Outcry")
    lines = half_blocks(uri)
    assert len(lines) < 24
    assert max(map(len, lines)) <= 80
    drawn = [[_BLOCKS[block][half] for block in line] for line in lines for half in (0, 1)]
    code = segno.make_qr(uri, error="L", boost_error=False)
    expected = [list(row) for row in code.matrix_iter(border=2)]
    assert drawn[: len(expected)] == expected
    assert all(not any(row) for row in drawn[len(expected) :])
