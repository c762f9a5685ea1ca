"""A worker process: one execution environment, which runs one invocation at a time.

Powertools' resolvers keep the request in class attributes, so two invocations in one process would
answer each other's callers. Invariant: the next request is read after the last was answered; the
process ends when its gateway does.
"""

import contextlib
import importlib
import os
import signal
import socket
import struct
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any

import msgspec

from infra.local.children import die_with_parent

_LENGTH = struct.Struct("!I")
_ACCOUNT = "000000000000"
#: What an authorizer raises for a 401: an answer to a client's mistake, which it has logged itself.
UNAUTHORIZED = "Unauthorized"

Handler = Callable[[dict[str, Any], Any], Any]


class Invocation(msgspec.Struct, frozen=True, array_like=True):
    """`event` is JSON, as on Lambda; `seconds` is what is left of the function's time."""

    function: str
    handler: str
    request_id: str
    seconds: float
    event: bytes


class Outcome(msgspec.Struct, frozen=True, array_like=True):
    """`result` is JSON; None when the handler raised `error`, whose text is `message`."""

    result: bytes | None
    error: str = ""
    message: str = ""


class Context:
    """The context object of a handler (Lambda developer guide, "Python context object")."""

    memory_limit_in_mb = "1024"
    function_version = "$LATEST"
    log_group_name = log_stream_name = "local"

    def __init__(self, invocation: Invocation) -> None:
        self.function_name = invocation.function
        self.aws_request_id = invocation.request_id
        self.invoked_function_arn = f"arn:aws:lambda:local:{_ACCOUNT}:function:{self.function_name}"
        self._deadline = time.monotonic() + invocation.seconds

    def get_remaining_time_in_millis(self) -> int:
        return max(0, int((self._deadline - time.monotonic()) * 1000))


def load_handler(handler: str) -> Handler:
    """The callable that MODULE.NAME names. Raises ImportError or AttributeError."""
    module, _, name = handler.rpartition(".")
    found: Handler = getattr(importlib.import_module(module), name)
    return found


def run_worker(channel: socket.socket) -> None:
    """Answers invocations until the gateway closes the channel."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the gateway decides when we stop
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    die_with_parent(expected_parent=os.getppid())()
    handlers: dict[str, Handler] = {}
    while True:
        request = _read(channel)
        if request is None:
            return
        invocation = msgspec.msgpack.decode(request, type=Invocation)
        outcome = msgspec.msgpack.encode(_invoke(invocation, handlers))
        with contextlib.suppress(BrokenPipeError):  # the gateway gave up on us; the read will say
            channel.sendall(_LENGTH.pack(len(outcome)) + outcome)


def _invoke(invocation: Invocation, handlers: dict[str, Handler]) -> Outcome:
    """What Lambda does around a handler: JSON in, JSON out, and any exception an error."""
    try:
        handler = handlers.get(invocation.handler)
        if handler is None:
            handler = handlers[invocation.handler] = load_handler(invocation.handler)
        if not invocation.event:  # the init phase: nothing is called yet
            return Outcome(b"null")
        result = handler(msgspec.json.decode(invocation.event), Context(invocation))
        return Outcome(msgspec.json.encode(result))
    except Exception as error:  # noqa: BLE001 - whatever a handler raises is its invocation's error
        if str(error) != UNAUTHORIZED:
            traceback.print_exc(file=sys.stderr)
        return Outcome(None, type(error).__name__, str(error))


def _read(channel: socket.socket) -> bytes | None:
    head = _exactly(channel, _LENGTH.size)
    return None if head is None else _exactly(channel, _LENGTH.unpack(head)[0])


def _exactly(channel: socket.socket, count: int) -> bytes | None:
    data = bytearray()
    while len(data) < count:
        chunk = channel.recv(count - len(data))
        if not chunk:
            return None
        data += chunk
    return bytes(data)
