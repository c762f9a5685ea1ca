"""A venue whose every message a test decides: raw FIX over TCP, for what no engine would do."""

import socket
import time
from collections.abc import Mapping
from datetime import UTC, datetime

import simplefix

WAIT_SECONDS = 120.0


class Connection:
    """One broker's connection. Numbers are the test's own."""

    def __init__(self, stream: socket.socket, version: str, broker: str) -> None:
        self._stream = stream
        self._version = version
        self._broker = broker
        self._parser = simplefix.FixParser()

    def wait_for(self, msg_type: str) -> dict[int, str]:
        """The broker's next message of that type; others are passed over."""
        deadline = time.monotonic() + WAIT_SECONDS
        while True:
            message = self._parser.get_message()
            if message is None:
                self._stream.settimeout(max(0.01, deadline - time.monotonic()))
                data = self._stream.recv(65_536)
                if not data:
                    raise AssertionError(f"closed before a {msg_type}")
                self._parser.append_buffer(data)
                continue
            fields = {int(tag): value.decode() for tag, value in message.pairs}
            if fields[35] == msg_type:
                return fields

    def send(
        self, msg_type: str, number: int, fields: Mapping[int, str], *, again: bool = False
    ) -> None:
        """Sends one message; `again` marks it as sent before (PossDupFlag)."""
        message = simplefix.FixMessage()
        now = f"{datetime.now(UTC):%Y%m%d-%H:%M:%S}.000"
        header = [(8, self._version), (35, msg_type), (34, str(number)), (49, "XNSE"),
                  (56, self._broker), (52, now)]  # fmt: skip
        if again:
            header += [(43, "Y"), (122, now)]
        for tag, value in [*header, *fields.items()]:
            message.append_pair(tag, value)
        self._stream.sendall(message.encode())

    def close(self) -> None:
        self._stream.close()


class ScriptedVenue:
    """Listens; each `accept` is the broker's next connection."""

    def __init__(self, version: str = "FIX.4.4", broker: str = "OUTCRY-O1") -> None:
        self._version = version
        self._broker = broker
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(WAIT_SECONDS)
        self._streams: list[socket.socket] = []
        self.port = int(self._listener.getsockname()[1])

    def accept(self) -> Connection:
        stream, _ = self._listener.accept()
        self._streams.append(stream)
        return Connection(stream, self._version, self._broker)

    def close(self) -> None:
        for stream in (self._listener, *self._streams):
            stream.close()
