"""The library's calls about prices, watchlists and alerts: what is asked, what is handed back."""

import json
from datetime import date

import httpx

from outcry_client import Api, Market, PriceAlerts, Watchlists

TOKENS = {"access_token": "t1", "expires_in": 900, "refresh_token": "r1", "session_id": "s"}


def answering(*answers: object) -> tuple[Api, list[httpx.Request]]:
    asked: list[httpx.Request] = []
    waiting = [TOKENS, *answers]

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        body = waiting.pop(0)
        return httpx.Response(204) if body is None else httpx.Response(200, json=body)

    return Api("http://broker/", httpx.MockTransport(answer)), asked


async def test_a_symbol_is_written_as_a_path_and_days_as_days() -> None:
    items = [{"ltp": "1.00"}]
    api, asked = answering(*[{"items": items}] * 5)
    async with api:
        await api.sign_in("asha", "p", "123456")
        market = Market(api)
        assert await market.candles("M&M", "15m", date(2026, 7, 9), date(2026, 7, 10)) == items
        assert await market.quotes(["M&M", "NIFTY 50"]) == items
        await market.movers("VOLUME", 3)
        await market.year_ranges(["TCS"])
        await market.candles("TCS", adjusted=True)
    assert [str(each.url).removeprefix("http://broker") for each in asked[1:]] == [
        "/v1/candles/M%26M?interval=15m&from=2026-07-09&to=2026-07-10",
        "/v1/quotes?symbols=M%26M%2CNIFTY+50",
        "/v1/market/movers?by=VOLUME&limit=3",
        "/v1/market/year-ranges?symbols=TCS",
        "/v1/candles/TCS?interval=day&adjusted=true",
    ]


async def test_a_change_of_a_watchlist_names_its_version_and_only_what_changes() -> None:
    api, asked = answering({"version": 2}, {"version": 3}, {"added": 1}, None)
    async with api:
        await api.sign_in("asha", "p", "123456")
        lists = Watchlists(api)
        assert await lists.open("Banks", ["SBIN"]) == {"version": 2}
        assert await lists.change("id", 2, symbols=[], position=0) == {"version": 3}
        assert await lists.add_file("id", 3, "TCS\n", dry_run=True) == {"added": 1}
        await lists.drop("id")
    sent = [(r.method, r.url.path, json.loads(r.content) if r.content else None) for r in asked[1:]]
    assert sent == [
        ("POST", "/v1/watchlists", {"name": "Banks", "symbols": ["SBIN"]}),
        ("PATCH", "/v1/watchlists/id", {"version": 2, "symbols": [], "position": 0}),
        ("POST", "/v1/watchlists/id/import", {"version": 3, "text": "TCS\n", "dry_run": True}),
        ("DELETE", "/v1/watchlists/id", None),
    ]


async def test_an_alert_is_set_with_all_that_it_says_and_dropped_by_its_number() -> None:
    alert = {"alert_id": "7", "state": "WAITING"}
    api, asked = answering(alert, {"items": [alert]}, None)
    async with api:
        await api.sign_in("asha", "p", "123456")
        alerts = PriceAlerts(api)
        assert await alerts.set("M&M", "CHANGE_BELOW", "-3", repeats=True, note="look") == alert
        assert await alerts.all() == [alert]
        await alerts.drop("7")
    wanted = {
        "symbol": "M&M", "kind": "CHANGE_BELOW", "threshold": "-3", "repeats": True, "note": "look",
    }  # fmt: skip
    sent = [(r.method, r.url.path, json.loads(r.content) if r.content else None) for r in asked[1:]]
    assert sent == [
        ("POST", "/v1/alerts", wanted),
        ("GET", "/v1/alerts", None),
        ("DELETE", "/v1/alerts/7", None),
    ]


async def test_the_markets_status_is_handed_back_as_told() -> None:
    status = {"phase": "HALTED", "halt": {"level": 10}}
    api, asked = answering(status)
    async with api:
        await api.sign_in("asha", "p", "123456")
        assert await Market(api).status() == status
    assert asked[-1].url.path == "/v1/market/status"
