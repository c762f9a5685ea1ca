"""The user's price alerts: set at the broker, which watches for them while no program runs.

Flow: what was told comes as the account's `alert` event with the code PRICE_ALERT; a program that
was away is handed it with the other events that it missed.
Invariant: nothing is made here. Setting one that waits for the same changes that one, so a call
whose answer was lost is made again safely.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from outcry_client.api import Api

Item = Mapping[str, Any]


class PriceAlerts:
    """Reads and changes. Everything raises as `Api.call` does."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def all(self) -> list[Item]:
        """Those that wait and those that were told, the oldest first."""
        answer = await self._api.call("GET", "/v1/alerts")
        return list(answer["items"])

    async def set(
        self, symbol: str, kind: str, threshold: str, *, repeats: bool = False, note: str = ""
    ) -> Item:
        """The alert as it waits now. `kind`: PRICE_ABOVE, PRICE_BELOW (`threshold` in rupees),
        CHANGE_ABOVE, CHANGE_BELOW (percent of the previous close) or VOLUME_ABOVE (shares of the
        day). `repeats`: told once a trade date, until dropped."""
        body = {
            "symbol": symbol,
            "kind": kind,
            "threshold": threshold,
            "repeats": repeats,
            "note": note,
        }
        answer: Item = await self._api.call("POST", "/v1/alerts", body)
        return answer

    async def drop(self, alert_id: str) -> None:
        """Refused (NOT_FOUND) when there is none, or none any more."""
        await self._api.call("DELETE", f"/v1/alerts/{quote(alert_id, safe='')}")
