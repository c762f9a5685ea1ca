"""Sign-in: user, password and the six digits of the authenticator."""

import asyncio
import time
from typing import ClassVar

import pyotp
from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Button, Footer, Input, Label, Static

from outcry_client.errors import SignedOutError
from tui.actions import Action, bindings
from tui.client.broker import Broker, RefusedError, UnreachableError
from tui.client.models import Profile
from tui.settings import TerminalSettings

ACTIONS = (Action("submit", "enter", "Sign in", "Sign in with what is typed"),)

REFUSALS = {
    "INVALID_CREDENTIALS": "User name, password or code is wrong, or the code was used before.",
    "TOO_MANY_REQUESTS": "Too many tries. Wait a minute, then try again.",
}
"""What the user can do about each code; the broker's own words stand in for the rest."""

CODE_LIFE_S = 30
"""A one-time code holds for one step of 30 seconds and is taken once (RFC 6238 section 5.2)."""
OWN_CODES_MAX = 6
"""Codes tried before the credentials are called wrong: as many terminals may start at once. A
broker takes at least that many wrong tries at this pace (one each CODE_LIFE_S)."""


class LoginScreen(Screen[None]):
    """Asks until the broker knows who it is; with credentials from the start it asks nothing."""

    BINDINGS: ClassVar[list[BindingType]] = bindings(ACTIONS)

    class SignedIn(Message):
        """The broker opened a session."""

        def __init__(self, profile: Profile) -> None:
            super().__init__()
            self.profile = profile

    def __init__(self, settings: TerminalSettings, broker: Broker, reason: str = "") -> None:
        super().__init__()
        self._settings = settings
        self._broker = broker
        self._reason = reason

    def compose(self) -> ComposeResult:
        with Vertical(id="sign-in", classes=f"-{self._settings.mode.lower()}"):
            yield Static("OUTCRY", id="brand")
            yield Static(self._settings.api_url, id="address", markup=False)
            yield Label("User name")
            yield Input(self._settings.username or "", id="username", max_length=64)
            yield Label("Password")
            yield Input(self._settings.password or "", id="password", password=True)
            yield Label("Authenticator code")
            yield Input(id="totp", placeholder="six digits", max_length=6, restrict="[0-9]*")
            yield Static(self._reason, id="sign-in-remark", markup=False)
            yield Button("Sign in", id="submit", compact=True)
        yield Footer(compact=True, show_command_palette=False)

    def on_mount(self) -> None:
        self.query_one("#sign-in").border_title = self._settings.mode
        if self._settings.signs_itself_in and not self._reason:
            self.action_submit()
        else:
            self.query_one("#username" if not self._settings.username else "#totp").focus()

    @on(Input.Submitted)
    @on(Button.Pressed)
    def action_submit(self) -> None:
        self._sign_in(*(self._value(name) for name in ("username", "password", "totp")))

    @work(exclusive=True)
    async def _sign_in(self, username: str, password: str, totp: str) -> None:
        missing = [
            (name, words)
            for name, value, words in (
                ("username", username, "Enter your user name."),
                ("password", password, "Enter your password."),
                ("totp", totp or self._settings.totp_secret, "Enter your authenticator's code."),
            )
            if not value
        ]
        if missing:
            self._refuse(missing[0][1], missing[0][0])
            return
        self._remark(f"Signing in as {username}…", is_refusal=False)
        try:
            profile = await self._profile(username, password, totp)
        except RefusedError as refusal:
            words = REFUSALS.get(refusal.problem.code, str(refusal))
            self._refuse(words, "totp")
        except UnreachableError as error:
            self._refuse(f"{self._settings.api_url} does not answer ({error}).", "totp")
        except ValueError as error:
            self._refuse(f"The authenticator's secret can't be used: {error}", "totp")
        except SignedOutError:
            self._refuse("The session ended at once. Sign in again.", "totp")
        else:
            self.post_message(self.SignedIn(profile))

    async def _profile(self, username: str, password: str, totp: str) -> Profile:
        """Sign in. A code of our own may have been used by another terminal: then the next step's
        code is tried, up to OWN_CODES_MAX in all, as of several that wait one gets in at a step.
        """
        if totp:
            return await self._broker.sign_in(username, password, totp)
        for tried in range(1, OWN_CODES_MAX):
            try:
                return await self._broker.sign_in(username, password, self._own_code())
            except RefusedError as refusal:
                if refusal.problem.code != "INVALID_CREDENTIALS":
                    raise
            wait = CODE_LIFE_S - time.time() % CODE_LIFE_S
            words = f"That code was used by another terminal; the next comes in {wait:.0f} s"
            again = f" (try {tried + 1} of {OWN_CODES_MAX})" if tried > 1 else ""
            self._remark(words + again, is_refusal=False)
            await asyncio.sleep(wait)
        return await self._broker.sign_in(username, password, self._own_code())

    def _own_code(self) -> str:
        """The code of the moment, when the secret was given at start."""
        secret = self._settings.totp_secret
        return "" if secret is None else pyotp.TOTP(secret).now()

    def _refuse(self, words: str, field: str) -> None:
        self._remark(words, is_refusal=True)
        wrong = self.query_one(f"#{field}", Input)
        if field == "totp":
            wrong.value = ""
        wrong.focus()

    def _remark(self, words: str, *, is_refusal: bool) -> None:
        remark = self.query_one("#sign-in-remark", Static)
        remark.update(words)
        remark.set_class(is_refusal, "-refused")

    def _value(self, name: str) -> str:
        return self.query_one(f"#{name}", Input).value
