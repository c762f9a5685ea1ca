"""Sign-in: user, password and the six digits of the authenticator, or a recovery code for them."""

import asyncio
import re
import time
from typing import ClassVar, Final

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
    "CHALLENGE_ENDED": "That took too long, or too many tries. Sign in again.",
    "INVALID_REQUEST": "That can't be a user name and password. Check what you typed.",
}
"""What the user can do about each code; the broker's own words stand in for the rest."""

HELD = "We don't know this device, nor where it is. Enter the code that we mailed you."
LABELS = {False: "Authenticator code", True: "Mailed code"}
PLACEHOLDERS = {False: "six digits, or a recovery code", True: "six digits"}
"""What is typed as the code, by whether a mailed code is waited for."""
CODE_WORDS = {
    False: "A code is six digits; a recovery code is six groups of four letters and digits.",
    True: "The mailed code is six digits.",
}
"""What is said of a code that can't be one; it is not sent, so it is no wrong try."""
CODE_CHARACTERS_MAX = 40
_SIX_DIGITS: Final = re.compile("[0-9]{6}")
_RECOVERY_CODE: Final = re.compile("[A-Z2-7]{24}")

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
        self._challenge_id: str | None = None
        self._held_credentials = ("", "")

    def compose(self) -> ComposeResult:
        with Vertical(id="sign-in", classes=f"-{self._settings.mode.lower()}"):
            yield Static("OUTCRY", id="brand")
            yield Static(self._settings.api_url, id="address", markup=False)
            yield Label("User name")
            yield Input(self._settings.username or "", id="username", max_length=64)
            yield Label("Password")
            yield Input(self._settings.password or "", id="password", password=True)
            yield Label(LABELS[False], id="code-label")
            yield Input(
                id="totp",
                placeholder=PLACEHOLDERS[False],
                max_length=CODE_CHARACTERS_MAX,
                restrict="[0-9A-Za-z -]*",
            )
            yield Static(self._reason, id="sign-in-remark", markup=False)
            yield Button("Sign in", id="submit", compact=True)
        yield Footer(compact=True, show_command_palette=False)

    def on_mount(self) -> None:
        self.query_one("#sign-in").border_title = self._settings.mode
        if self._settings.signs_itself_in and not self._reason:
            self.action_submit()
        else:
            given = {"username": self._settings.username, "password": self._settings.password}
            first = next((name for name, value in given.items() if not value), "totp")
            self.query_one(f"#{first}").focus()

    @on(Input.Changed, "#username, #password")
    def _other_credentials(self) -> None:
        """A mailed code belongs to the login that was held, and to no other."""
        if (self._value("username"), self._value("password")) != self._held_credentials:
            self._await_mail(None)

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
                ("totp", totp or self._own_secret, self._code_words),
            )
            if not value
        ]
        if missing:
            self._refuse(missing[0][1], missing[0][0])
            return
        code = totp.replace(" ", "").replace("-", "").upper()
        if totp and not self._may_be_code(code):
            self._refuse(CODE_WORDS[self._challenge_id is not None], "totp")
            return
        self._remark(f"Signing in as {username}…", is_refusal=False)
        try:
            profile = await self._profile(username, password, code)
        except RefusedError as refusal:
            self._refused(refusal, (username, password))
        except UnreachableError as error:
            self._refuse(f"{self._settings.api_url} does not answer ({error}).", "totp")
        except ValueError as error:
            self._refuse(f"The authenticator's secret can't be used: {error}", "totp")
        except SignedOutError:
            self._refuse("The session ended at once. Sign in again.", "totp")
        else:
            self.post_message(self.SignedIn(profile))

    async def _profile(self, username: str, password: str, code: str) -> Profile:
        """Sign in. A code of our own may have been used by another terminal: then the next step's
        code is tried, up to OWN_CODES_MAX in all, as of several that wait one gets in at a step.
        """
        if self._challenge_id is not None:
            return await self._broker.answer_challenge(username, self._challenge_id, code)
        if code:
            return await self._broker.sign_in(username, password, code)
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

    @property
    def _code_words(self) -> str:
        held = self._challenge_id is not None
        return "Enter the mailed code." if held else "Enter your authenticator's code."

    def _may_be_code(self, code: str) -> bool:
        """Whether it has the shape of what is asked for: nobody has a recovery code mailed."""
        is_recovery = _RECOVERY_CODE.fullmatch(code) is not None and self._challenge_id is None
        return is_recovery or _SIX_DIGITS.fullmatch(code) is not None

    @property
    def _own_secret(self) -> str | None:
        """The authenticator's, when it was given at start; it makes no mailed code."""
        return None if self._challenge_id is not None else self._settings.totp_secret

    def _own_code(self) -> str:
        """The code of the moment, when the secret was given at start."""
        return "" if self._own_secret is None else pyotp.TOTP(self._own_secret).now()

    def _refused(self, refusal: RefusedError, credentials: tuple[str, str]) -> None:
        code = refusal.problem.code
        if code == "LOGIN_HELD":
            self._held_credentials = credentials
            self._await_mail(refusal.problem.challenge_id)
            self._refuse(HELD, "totp")
            return
        if code == "CHALLENGE_ENDED":
            self._await_mail(None)
        self._refuse(REFUSALS.get(code, str(refusal)), "totp")

    def _await_mail(self, challenge_id: str | None) -> None:
        """The six digits asked for are the mailed ones, or again the authenticator's."""
        self._challenge_id = challenge_id
        is_mailed = challenge_id is not None
        self.query_one("#code-label", Label).update(LABELS[is_mailed])
        self.query_one("#totp", Input).placeholder = PLACEHOLDERS[is_mailed]

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
