"""The sign-in: what it asks for, and what it says of a refusal."""

from dataclasses import replace
from pathlib import Path

import pytest
from textual.widgets import Input

from tests.screens.conftest import Desk, is_live, settle, text_of
from tui.app import Terminal
from tui.client.models import Problem
from tui.messages import SessionEnded
from tui.screens import login
from tui.screens.login import LoginScreen

SIZE = (120, 36)


async def test_a_session_that_ends_leads_back_to_the_sign_in(desk: Desk) -> None:
    async with desk.terminal.run_test(size=SIZE) as pilot:
        await settle(pilot, lambda: is_live(pilot))
        await pilot.press("question_mark")
        pilot.app.screen_stack[1].post_message(SessionEnded("Signed in elsewhere"))
        await settle(pilot, lambda: isinstance(pilot.app.screen, LoginScreen))
        await settle(pilot, lambda: "Signed in elsewhere" in text_of(pilot))


async def test_who_logs_out_is_back_at_the_sign_in(desk: Desk) -> None:
    async with desk.terminal.run_test(size=(80, 24)) as pilot:
        await settle(pilot, lambda: is_live(pilot))
        await pilot.press("ctrl+l")
        await settle(pilot, lambda: "Logged out." in text_of(pilot))
        assert isinstance(pilot.app.screen, LoginScreen)
        assert desk.broker.sign_outs == 1
        await pilot.press("enter")
        await settle(pilot, lambda: is_live(pilot))


async def test_a_wrong_code_says_what_to_do_and_asks_again(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "terminal", signs_itself_in=False)
    desk.broker.sign_in_refusal = Problem(status=401, code="INVALID_CREDENTIALS")
    async with desk.terminal.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        await pilot.press(*"demo", "tab", *"paper", "tab", *"123456", "enter")
        await settle(pilot, lambda: "is wrong" in text_of(pilot))
        assert pilot.app.screen.query_one("#totp", Input).value == ""

        desk.broker.sign_in_refusal = None
        await pilot.press(*"654321", "enter")
        await settle(pilot, lambda: is_live(pilot))


async def test_without_the_phone_a_recovery_code_signs_in(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "terminal", signs_itself_in=False)
    async with desk.terminal.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        await pilot.press(*"demo", "tab", *"paper", "tab", *"12345", "enter")
        await settle(pilot, lambda: "A code is six digits" in text_of(pilot))
        await pilot.press(*"abcd-EFGH-2345-QRST-UVWX-YZ67", "enter")
        await settle(pilot, lambda: is_live(pilot))
    assert desk.broker.codes == ["ABCDEFGH2345QRSTUVWXYZ67"]


async def test_a_user_name_alone_leaves_the_password_to_be_typed(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "terminal", signs_itself_in=False)
    desk.terminal = Terminal(replace(desk.settings, username="demo"), desk.broker, desk.feed)
    async with desk.terminal.run_test(size=(80, 24)) as pilot:
        await settle(pilot, lambda: pilot.app.focused is not None)
        assert pilot.app.focused is pilot.app.screen.query_one("#password")


async def test_a_login_that_is_held_asks_for_the_mailed_code(desk: Desk) -> None:
    held = Problem(status=403, code="LOGIN_HELD", challenge_id="c1")
    desk.broker.sign_in_refusal = held
    async with desk.terminal.run_test(size=(80, 24)) as pilot:
        await settle(pilot, lambda: "Mailed code" in text_of(pilot))
        await pilot.press("enter")  # the authenticator's own code is no answer
        await settle(pilot, lambda: "Enter the mailed code" in text_of(pilot))

        desk.broker.sign_in_refusal = Problem(
            status=401, code="CHALLENGE_WRONG", detail="4 tries are left"
        )
        await pilot.press(*"111111", "enter")
        await settle(pilot, lambda: "4 tries are left" in text_of(pilot))
        desk.broker.sign_in_refusal = Problem(status=401, code="CHALLENGE_ENDED")
        await pilot.press(*"222222", "enter")
        await settle(pilot, lambda: "Authenticator code" in text_of(pilot))

        desk.broker.sign_in_refusal = held
        await pilot.press("enter")
        await settle(pilot, lambda: "Mailed code" in text_of(pilot))
        desk.broker.sign_in_refusal = None
        await pilot.press(*"333333", "enter")
        await settle(pilot, lambda: is_live(pilot))
    assert desk.broker.challenges == [
        ("demo", "c1", "111111"), ("demo", "c1", "222222"), ("demo", "c1", "333333"),
    ]  # fmt: skip


async def test_codes_that_other_terminals_used_give_way_to_the_next(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(login, "CODE_LIFE_S", 0.1)
    desk.broker.sign_in_refusal = Problem(status=401, code="INVALID_CREDENTIALS")
    desk.broker.refusals_left = 3
    async with desk.terminal.run_test(size=(80, 24)) as pilot:
        await settle(pilot, lambda: is_live(pilot))
