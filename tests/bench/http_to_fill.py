"""`http_to_fill`: from `POST /v1/orders` to the fill pushed on the user's socket, p99 at 50/s.

Open loop: orders leave on their own clock whatever the answers do, from a process of its own, each
timed from the moment it should have left. Then the rate is raised until the p99 passes a second.
Baseline: `GET /health` through the same gateway at the same rate, which is the HTTP part alone.
"""

import asyncio
import json
import multiprocessing
import sys
import time
from decimal import Decimal
from typing import Any

import httpx
from hdrh.histogram import HdrHistogram
from websockets.asyncio.client import connect

from tests.bench.fsync import watched_disk
from tests.support.stack import Stack, own_stack

RATE = 50
RATES = (100, 150, 200, 300, 400)
P99_MOST_MS = 1_000.0
TRADERS = 20  # the account limit is per person; the load is spread as users would spread it
SETTLE_SECONDS = 10.0
SYMBOLS = ("INFY", "TCS", "SBIN", "ITC", "RELIANCE", "HDFCBANK")


async def _listen(stream: str, token: str, filled: dict[str, float], stop: asyncio.Event) -> None:
    headers = {"Authorization": f"Bearer {token}"}
    async with connect(stream, additional_headers=headers, subprotocols=["outcry.v1.json"]) as ws:  # type: ignore[list-item]
        while not stop.is_set():
            try:
                async with asyncio.timeout(0.5):
                    message = json.loads(await ws.recv())
            except TimeoutError:
                continue
            now = time.monotonic()
            for item in message if isinstance(message, list) else [message]:
                if item["type"] == "fill":
                    filled.setdefault(item["order_id"], now)


async def _orders(api: str, stream: str, tokens: list[str], rate: float, seconds: float) -> Any:
    filled: dict[str, float] = {}
    due_of: dict[str, float] = {}
    failed = 0
    stop = asyncio.Event()
    limits = httpx.Limits(max_connections=200, max_keepalive_connections=200)
    async with httpx.AsyncClient(base_url=api, timeout=20, limits=limits) as http:
        quotes = await http.get(
            "/v1/quotes", params={"symbols": ",".join(SYMBOLS)},
            headers={"Authorization": f"Bearer {tokens[0]}"},
        )  # fmt: skip
        price = {
            q["symbol"]: str((Decimal(q["ltp"]) * Decimal("1.02")).quantize(Decimal(1)))
            for q in quotes.json()["items"]
        }
        listeners = [asyncio.create_task(_listen(stream, t, filled, stop)) for t in tokens]
        await asyncio.sleep(1.0)

        async def send(number: int, due: float) -> None:
            nonlocal failed
            symbol = SYMBOLS[number % len(SYMBOLS)]
            body = {
                "client_order_id": f"bench-{due:.6f}-{number}".replace(".", "-")[:36],
                "symbol": symbol, "side": "BUY", "type": "LIMIT", "quantity": 1,
                "price": price[symbol],
            }  # fmt: skip
            token = tokens[number % len(tokens)]
            try:
                answer = await http.post(
                    "/v1/orders", json=body, headers={"Authorization": f"Bearer {token}"}
                )
            except httpx.TransportError:
                failed += 1
                return
            if answer.status_code == httpx.codes.ACCEPTED:
                due_of[answer.json()["order_id"]] = due
            else:
                failed += 1

        sends = await _open_loop(send, rate, seconds)
        await asyncio.gather(*sends)
        deadline = time.monotonic() + SETTLE_SECONDS
        # What is waited for comes from twenty sockets, so it is looked at rather than signalled.
        while due_of.keys() - filled.keys() and time.monotonic() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        stop.set()
        await asyncio.gather(*listeners)
    waits = [(filled[o] - due) * 1000 for o, due in due_of.items() if o in filled]
    return waits, failed + len(due_of) - len(waits)


async def _open_loop(send: Any, rate: float, seconds: float) -> list["asyncio.Task[None]"]:
    started = time.monotonic() + 0.2
    sends = []
    for number in range(int(rate * seconds)):
        due = started + number / rate
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        sends.append(asyncio.create_task(send(number, due)))
    return sends


async def _health(api: str, rate: float, seconds: float) -> list[float]:
    waits: list[float] = []
    async with httpx.AsyncClient(base_url=api, timeout=20) as http:

        async def send(_: int, due: float) -> None:
            (await http.get("/health")).raise_for_status()
            waits.append((time.monotonic() - due) * 1000)

        await asyncio.gather(*await _open_loop(send, rate, seconds))
    return waits


def _order_load(pipe: Any, *arguments: Any) -> None:
    pipe.send(asyncio.run(_orders(*arguments)))


def _health_load(pipe: Any, *arguments: Any) -> None:
    pipe.send(asyncio.run(_health(*arguments)))


def _in_own_process(target: Any, *arguments: Any) -> Any:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=target, args=(theirs, *arguments))
    process.start()
    theirs.close()
    answer = ours.recv()
    process.join()
    return answer


def _percentile(waits: list[float], percent: float) -> float:
    histogram = HdrHistogram(1, 60_000_000, 3)
    for wait in waits:
        histogram.record_value(max(1, int(wait * 1000)))
    return float(round(histogram.get_value_at_percentile(percent) / 1000, 1))


def _tokens(stack: Stack) -> list[str]:
    done = stack.outcry("demo-user", "--count", str(TRADERS), "--class", "TEST", "--json")
    if done.returncode != 0:
        raise RuntimeError(done.stderr)
    return [stack.signed_in(user).token for user in json.loads(done.stdout)]


def run(seconds: float) -> dict[str, object]:
    with own_stack() as stack:
        tokens = _tokens(stack)
        load = (stack.api, stack.stream, tokens)
        _in_own_process(_order_load, *load, RATE, 2.0)  # warms every worker
        baseline = _in_own_process(_health_load, stack.api, RATE, seconds)
        with watched_disk() as disk:
            waits, lost = _in_own_process(_order_load, *load, RATE, seconds)
        knee = RATE
        for rate in RATES:
            at_rate, failed = _in_own_process(_order_load, *load, rate, max(3.0, seconds / 2))
            slow = not at_rate or _percentile(at_rate, 99) > P99_MOST_MS
            sys.stderr.write(
                f"http_to_fill at {rate}/s: p99 {_percentile(at_rate, 99) if at_rate else None} ms,"
                f" {failed} without a fill\n"
            )
            if slow or failed > len(at_rate) / 100:
                break
            knee = rate
    return {
        "name": "http_to_fill",
        "figure": _percentile(waits, 99),
        "unit": f"ms p99 at {RATE} orders/s",
        "baselines": [
            {"name": "GET /health, p99 at the same rate", "figure": _percentile(baseline, 99)}
        ],
        "p50_ms": _percentile(waits, 50),
        "orders": len(waits),
        "without_a_fill": lost,
        "rate_with_p99_below_1_s": knee,
        **disk,
    }
