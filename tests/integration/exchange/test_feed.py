"""The market-data port over TCP: snapshots, updates, pace, and clients that do not behave."""

import contextlib
import copy
import json
import queue
import re
import socket
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.exchange.venue_process import Broker, VenueProcess, running, until
from tests.support.eventually import WAIT_SECONDS


class FeedClient:
    """Plain TCP and bytes."""

    def __init__(self, port: int, name: str = "OUTCRY-M1") -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=WAIT_SECONDS)
        self._name = name
        self._sequence = 0
        self.data = b""
        self.send("A", "98=0|108=60|141=Y|")

    def send(self, kind: str, body: str) -> None:
        self._sequence += 1
        text = (
            f"35={kind}|34={self._sequence}|49={self._name}|56=XNSE|52=20261123-06:00:00.000|{body}"
        )
        payload = text.replace("|", "\x01").encode()
        head = b"8=FIX.4.4\x019=%d\x01" % len(payload) + payload
        self.socket.sendall(head + b"10=%03d\x01" % (sum(head) & 255))

    def subscribe(self, *symbols: str) -> None:
        names = "".join(f"55={symbol}|" for symbol in symbols)
        self.send("V", f"262=r1|263=1|264=5|267=2|269=0|269=1|146={len(symbols)}|{names}")

    def read_until(self, wanted: bytes, timeout_s: float = WAIT_SECONDS) -> bytes:
        deadline = time.monotonic() + timeout_s
        while wanted not in self.data:
            assert time.monotonic() < deadline, self.data[-500:]
            chunk = self.socket.recv(1 << 20)
            assert chunk, self.data[-500:]
            self.data += chunk
        return self.data

    def close(self) -> None:
        self.socket.close()


@pytest.fixture
def venue(tmp_path: Path) -> Iterator[VenueProcess]:
    with running(tmp_path, rate=2_000) as process:
        yield process


def test_a_subscriber_gets_a_snapshot_of_each_symbol_and_then_updates(venue: VenueProcess) -> None:
    client = FeedClient(venue.feed_port)
    client.subscribe("*")
    data = client.read_until(b"35=X\x01")
    assert data.count(b"35=W\x01") == 51
    assert b"55=M&M\x01" in data
    assert b"55=NIFTY 50\x01" in data
    entry = rb"279=1\x01269=[01]\x0155=[^\x01]+\x01270=[\d.]+\x01271=\d+\x01290=[1-5]\x01"
    client.data = b""
    assert re.search(entry, client.read_until(b"35=X\x01") + client.read_until(b"\x0110="))
    client.close()


def test_a_subscription_to_one_symbol_shows_that_one_alone(venue: VenueProcess) -> None:
    client = FeedClient(venue.feed_port)
    client.subscribe("TCS")
    client.read_until(b"35=X\x01")
    client.read_until(b"\x0110=")
    assert set(re.findall(rb"\x0155=([^\x01]+)", client.data)) == {b"TCS"}
    client.close()


def test_an_unknown_symbol_is_refused(venue: VenueProcess) -> None:
    client = FeedClient(venue.feed_port)
    client.subscribe("NOBODY")
    assert b"281=0\x01" in client.read_until(b"35=Y\x01") + client.read_until(b"\x0158=")
    client.close()


def test_one_compid_has_one_connection(venue: VenueProcess) -> None:
    first = FeedClient(venue.feed_port)
    first.read_until(b"35=A\x01")
    second = FeedClient(venue.feed_port)
    assert b"logged on already" in second.read_until(b"35=5\x01") + second.read_until(b"already")
    first.subscribe("TCS")
    first.read_until(b"35=W\x01")
    first.close()
    second.close()


def test_a_clients_resting_order_is_seen_in_the_depth(venue: VenueProcess, tmp_path: Path) -> None:
    client = FeedClient(venue.feed_port)
    client.subscribe("RELIANCE")
    data = client.read_until(b"35=W\x01") + client.read_until(b"\x0110=")
    match = re.search(rb"269=0\x01270=([\d.]+)\x01271=\d+\x01290=1\x01", data)
    assert match is not None
    broker = Broker(tmp_path / "broker", venue.orders_port).logon()
    broker.limit("1", "1", 7_654_321, match[1].decode())
    broker.next_of("1", "0")
    client.read_until(b"271=76")
    client.close()
    broker.stop()


class Depth:
    """What a receiver holds of bids and offers: by symbol and side, each level's price and size."""

    def __init__(self) -> None:
        self.levels: dict[tuple[str, str], list[tuple[str, str]]] = {}
        self.sequence = 0
        self.entries = 0

    def take(self, message: bytes) -> str:
        """Applies a message; its kind. Each is the next of its session, and each entry fits to
        what is there: a level lost or told twice does not."""
        fields = [field.partition("=")[::2] for field in message.decode().split("\x01")[:-1]]
        head = dict(fields[:7])
        assert self.sequence in {0, int(head["34"]) - 1}
        self.sequence = int(head["34"])
        if head["35"] in {"W", "X"}:
            self._apply(head["35"], fields)
        return head["35"]

    def _apply(self, kind: str, fields: list[tuple[str, str]]) -> None:
        starts = [i for i, (tag, _) in enumerate(fields) if tag == {"W": "269", "X": "279"}[kind]]
        body = dict(fields[: starts[0]]) if starts else dict(fields)
        assert int(body["268"]) == len(starts)
        if kind == "W":
            for side in "01":
                self.levels[body["55"], side] = []
        for start, end in zip(starts, [*starts[1:], len(fields)], strict=True):
            entry = body | dict(fields[start:end])
            if "290" in entry:
                self._place(entry)
        self.entries += len(starts) if kind == "X" else 0

    def _place(self, entry: dict[str, str]) -> None:
        levels, position = self.levels[entry["55"], entry["269"]], int(entry["290"])
        match entry.get("279", "0"):
            case "0":
                assert position == len(levels) + 1
                levels.append((entry["270"], entry["271"]))
            case "1":
                levels[position - 1] = (entry["270"], entry["271"])
            case "2":
                assert position == len(levels)
                levels.pop()


class Taken(threading.Thread):
    """Takes all that comes for a client at once, so that no machine is too slow to keep up."""

    def __init__(self, client: FeedClient) -> None:
        super().__init__(daemon=True)
        self._socket = client.socket
        self._chunks: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self.start()

    def run(self) -> None:
        with contextlib.suppress(OSError):  # the test has closed it
            while chunk := self._socket.recv(1 << 20):
                self._chunks.put(chunk)
        self._chunks.put(b"")

    def forget(self) -> None:
        """Lets go what came until now."""
        for _ in range(self._chunks.qsize()):
            self._chunks.get()

    def next(self) -> bytes:
        """What came next; nothing once the venue has cut the client."""
        return self._chunks.get(timeout=WAIT_SECONDS)


def messages(client: FeedClient) -> Iterator[bytes]:
    """Whole messages, as they come."""
    taken = Taken(client)
    while True:
        head = re.match(rb"8=FIX\.4\.4\x019=(\d+)\x01", client.data)
        end = head.end() + int(head[1]) + len("10=000|") if head else 0
        if head and len(client.data) >= end:
            yield client.data[:end]
            client.data = client.data[end:]
            continue
        chunk = taken.next()
        assert chunk
        client.data += chunk


def test_at_a_hundred_thousand_entries_a_second_none_is_lost_or_told_twice(tmp_path: Path) -> None:
    """Forty thousand of them: what they leave is what a fresh snapshot then shows. How fast they
    came is printed; the bench has the figure."""
    with running(tmp_path, rate=100_000) as venue:
        client = FeedClient(venue.feed_port)
        client.subscribe("*")
        held, start = Depth(), time.monotonic()
        kinds = (held.take(message) for message in messages(client))
        while held.entries < 40_000:
            next(kinds)
        print(json.dumps({"entries_per_s": round(held.entries / (time.monotonic() - start))}))
        client.subscribe("*")
        before, shown = held.levels, 0
        while shown < 51:  # the snapshots come together: nothing has moved between them
            before = before if shown else copy.deepcopy(held.levels)
            kind = next(kinds)
            shown += kind == "W"
            assert not (shown and kind == "X")
        assert held.levels == before
        assert any(before.values())
        client.close()


def test_a_client_that_does_not_read_is_cut_and_the_others_go_on(tmp_path: Path) -> None:
    with running(tmp_path, rate=100_000) as venue:
        slow = FeedClient(venue.feed_port, "OUTCRY-M1")
        slow.subscribe("*")
        other = FeedClient(venue.feed_port, "OUTCRY-M2")
        other.subscribe("*")
        taken = Taken(other)
        address = f"http://127.0.0.1:{venue.health_port}/metrics"

        def cut() -> bool:
            with urllib.request.urlopen(address, timeout=WAIT_SECONDS) as answer:
                return b"exchange_feed_clients_cut_total 1" in answer.read()

        until(cut)
        taken.forget()
        assert taken.next()
        slow.close()
        other.close()
