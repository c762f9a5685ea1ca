"""A halt of the whole market on the trading screen."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from outcry_client.protocol import notice
from tests.screens.conftest import Desk, is_live, settle, text_of
from tests.support.terminal_prices import NOON
from tui.client.market_status import MarketHalt
from tui.halt_banner import HaltBanner


def news(phase: str, halt: dict[str, Any] | None) -> dict[str, Any]:
    return {"type": "market", "phase": phase, "security_class": None, "symbol": None,
            "band": None, "reason": "fell", "halt": halt, "timestamp": 1}  # fmt: skip


def tell(desk: Desk, message: dict[str, Any]) -> None:
    assert desk.feed.listener is not None
    desk.feed.listener.notice(notice(message))


@pytest.mark.parametrize("size", [(80, 24), (120, 36), (200, 50)])
async def test_a_halt_is_shown_with_its_countdown_until_the_market_is_open_again(
    desk: Desk, size: tuple[int, int]
) -> None:
    status, ends = desk.broker.market_status, NOON + timedelta(minutes=45)
    async with desk.terminal.run_test(size=size) as pilot:
        await settle(pilot, lambda: is_live(pilot))
        banner = pilot.app.screen.query_one(HaltBanner)
        assert banner.size.height == 0

        opens = ends + timedelta(minutes=15)
        halt = MarketHalt(
            phase="HALTED", level=10, source="INDEX", since=NOON, resumes_at=ends, opens_at=opens
        )
        desk.broker.market_status = msgspec.structs.replace(status, phase="HALTED", halt=halt)
        told = {"level": 10, "source": "INDEX", "since": NOON.isoformat(),
                "resumes_at": ends.isoformat(), "opens_at": opens.isoformat()}  # fmt: skip
        tell(desk, news("HALTED", told))
        await settle(pilot, lambda: "MARKET HALTED" in text_of(pilot))
        assert "breaker 10 % · call auction in 45:00 (12:45 IST) · cancels pass" in text_of(pilot)
        assert banner.size.height == 1

        desk.broker.market_status = status
        tell(desk, news("OPEN", None))
        await settle(pilot, lambda: "MARKET HALTED" not in text_of(pilot))
        assert banner.size.height == 0
