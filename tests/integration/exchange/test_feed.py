"""The market-data port over TCP: snapshots, updates, pace, and clients that do not behave."""

import json
import re
import socket
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.exchange.venue_process import Broker, VenueProcess, running, until


class FeedClient:
    """Plain TCP and bytes."""

    def __init__(self, port: int, name: str = "OUTCRY-M1") -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=5)
        self._name = name
        self._sequence = 0
        self.data = b""
        self.send("A", "98=0|108=10|141=Y|")

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

    def read_until(self, wanted: bytes, timeout_s: float = 5.0) -> bytes:
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


def test_a_hundred_thousand_entries_a_second_leave_as_fast_as_they_can(tmp_path: Path) -> None:
    """The bound is a tenth of the aim, for test machines are slow and shared; it is printed."""
    with running(tmp_path, rate=100_000) as venue:
        client = FeedClient(venue.feed_port)
        client.subscribe("*")
        client.read_until(b"35=X\x01", 10)
        entries, size, start = 0, 0, time.monotonic()
        while time.monotonic() - start < 3.0:
            chunk = client.socket.recv(1 << 20)
            entries += chunk.count(b"\x01279=")
            size += len(chunk)
        rate = entries / (time.monotonic() - start)
        print(json.dumps({"entries_per_s": round(rate), "mbytes_per_s": round(size / 3e6, 1)}))
        assert rate > 10_000
        client.close()


def test_a_client_that_does_not_read_is_cut_and_the_others_go_on(tmp_path: Path) -> None:
    with running(tmp_path, rate=100_000) as venue:
        slow = FeedClient(venue.feed_port, "OUTCRY-M1")
        slow.subscribe("*")
        other = FeedClient(venue.feed_port, "OUTCRY-M2")
        other.subscribe("*")
        address = f"http://127.0.0.1:{venue.health_port}/metrics"

        def cut() -> bool:
            other.socket.recv(1 << 20)
            with urllib.request.urlopen(address, timeout=5) as answer:
                return b"exchange_feed_clients_cut_total 1" in answer.read()

        until(cut, 30)
        other.data = b""
        other.read_until(b"35=X\x01")
        slow.close()
        other.close()
