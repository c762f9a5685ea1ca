"""Accounts in strange hands: a login that is new in every way, and what follows it.

Invariant: steps count together within a day of each other, each code once, in whatever order they
become known (the trail of logins is read a minute behind the trades).
"""

from collections.abc import Mapping
from typing import Final

from functions.shared.domain.surveillance.findings import Finding, Reason, Rule, score_of
from functions.shared.domain.surveillance.parameters import Parameters
from functions.shared.domain.surveillance.watched import MoneyOut, Step, Told, Watch

NEW_PLACE: Final = "NEW_DEVICE_NETWORK_COUNTRY"
MONEY_OUT: Final = "MONEY_OUT"
NEW_THIN_STOCK: Final = "FIRST_TRADE_OF_A_THIN_STOCK"
_POINTS: Final[Mapping[str, int]] = {
    NEW_PLACE: 40, "NEW_DEVICE": 15, "WRONG_LOGINS": 15, "PASSWORD_RESET": 25,
    "AUTHENTICATOR_REPLACED": 25, "RECOVERY_CODE_USED": 20, "BANK_CHANGE": 25, MONEY_OUT: 30,
    NEW_THIN_STOCK: 25,
}  # fmt: skip
#: A stranger has to get in first: without one of these nothing is a takeover.
_WAYS_IN: Final = (NEW_PLACE, "NEW_DEVICE", "PASSWORD_RESET", "RECOVERY_CODE_USED")
_TOLD: Final[Mapping[str, str]] = {
    "CHALLENGE_PASSED": NEW_PLACE, "PASSWORD_RESET": "PASSWORD_RESET",
    "TOTP_REPLACED": "AUTHENTICATOR_REPLACED", "RECOVERY_CODE_USED": "RECOVERY_CODE_USED",
    "BANK_CHANGE_ASKED": "BANK_CHANGE",
}  # fmt: skip
_WRONG_LEAST: Final = 3
#: Actions of the audit trail that this rule looks at.
ACTIONS: Final = frozenset({*_TOLD, "LOGIN_OK", "LOGIN_REFUSED"})


def step_of_entry(told: Told) -> Step | None:
    """What an entry of the trail is of a takeover, if anything."""
    code, value = _TOLD.get(told.action), told.country
    if told.action == "LOGIN_OK" and told.new_device:
        code = "NEW_DEVICE"
    elif told.action == "LOGIN_REFUSED" and told.count >= _WRONG_LEAST:
        code, value = "WRONG_LOGINS", str(told.count)
    return None if code is None else Step(code, told.at, told.day, value)


def step_of_withdrawal(out: MoneyOut, parameters: Parameters) -> Step | None:
    """A withdrawal of the greater part of the cash."""
    if out.amount * 100 < out.cash * parameters.withdrawn_percent:
        return None
    return Step(MONEY_OUT, out.at, out.day, f"{out.amount * 100 // max(1, out.cash)} %")


def judge_steps(user_id: int, watch: Watch, latest: Step, parameters: Parameters) -> Finding | None:
    """Asked when a step became known. What came before the way in counts only where it led to it
    (wrong logins, a reset)."""
    newest = max(step.at for step in watch.steps)
    since = newest - parameters.takeover_span
    recent = sorted((s for s in watch.steps if s.at >= since), key=lambda step: step.at)
    way_in = next((step for step in recent if step.code in _WAYS_IN), None)
    if way_in is None:
        return None
    seen: dict[str, Step] = {}
    for step in recent:
        if step.at >= way_in.at or step.code == "WRONG_LOGINS":
            seen.setdefault(step.code, step)
    if NEW_PLACE in seen:
        seen.pop("NEW_DEVICE", None)  # told by the same login
    reasons = tuple(Reason(s.code, s.value, "", _POINTS[s.code]) for s in seen.values())
    if score_of(reasons) < parameters.findings_from:
        return None
    # The day of the way in, whatever day it is by now: one takeover is one alert.
    return Finding(Rule.TAKEOVER, user_id, "", way_in.day, latest.at, reasons)
