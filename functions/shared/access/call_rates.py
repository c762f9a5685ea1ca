"""How often a user, an address and a stranger may call, whatever the route.

Flow: settings -> CallRates -> what a call takes -> asked in the same round trip as its session
(sessions.py). Invariant: the limits guard the machine, not money, so they fail open when Valkey is
away; logging in has limits of its own, which don't. Orders and cancels are not counted here: the
ledger counts the orders themselves, and a cancel always passes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from functions.shared.access.principal import Principal
from functions.shared.access.throttle import Limit, Take, network_of
from functions.shared.settings import StoreSettings

#: Scopes whose calls the ledger limits, or nobody.
_COUNTED_ELSEWHERE = frozenset({"trade", "cancel"})
_SECOND_MS = 1_000


@dataclass(frozen=True, slots=True)
class CallRates:
    """The limits in force; None where there is none."""

    user: Limit | None
    address: Limit | None
    stranger: Limit | None

    @classmethod
    def of(cls, settings: StoreSettings) -> Self:
        return cls(
            _limit("user", settings.rate_user),
            _limit("address", settings.rate_address),
            _limit("stranger", settings.rate_stranger),
        )

    def of_caller(
        self, principal: Principal, address: str, scopes: Sequence[str]
    ) -> Sequence[Take]:
        """What a call of somebody signed in takes, on a route that needs those scopes."""
        takes = []
        if self.user is not None and not _COUNTED_ELSEWHERE & set(scopes):
            takes.append(Take(self.user, str(principal.user_id)))
        if self.address is not None:
            takes.append(Take(self.address, network_of(address)))
        return takes

    def of_stranger(self, address: str) -> Sequence[Take]:
        """What a call takes that nobody has signed, or a bearer that doesn't hold."""
        return [] if self.stranger is None else [Take(self.stranger, network_of(address))]


def _limit(name: str, per_second: int) -> Limit | None:
    """At most twice a second's calls at once."""
    if per_second == 0:
        return None
    return Limit(f"call-{name}", 2 * per_second, _SECOND_MS // per_second, fails_open=True)
