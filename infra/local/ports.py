"""Ports on the loopback: a free one, and who holds one that is not."""

import random
import socket
from itertools import chain

import psutil

from infra.local.refusals import StartRefused

LOOPBACK = "127.0.0.1"
_OURS = range(12_000, 32_000)


class PortTaken(StartRefused):
    """The message names the port, who listens on it where the system tells, and what to do."""


def free_ports(count: int) -> list[int]:
    """Different ports nobody listens on, kept from other callers for the minute a start takes.

    They lie below those that the system deals out to outgoing connections (RFC 6056; Linux: from
    32768), so that no connection takes one before its part does. Raises PortTaken when there are
    not as many.
    """
    ports: list[int] = []
    begin = random.randrange(len(_OURS))
    for port in chain(_OURS[begin:], _OURS[:begin]):
        if len(ports) == count:
            break
        if _reserve(port):
            ports.append(port)
    if len(ports) < count:
        raise PortTaken(f"{count} ports are needed, {len(ports)} are free on {LOOPBACK}")
    return ports


def _reserve(port: int) -> bool:
    """Leaves the port in TIME_WAIT (RFC 9293, 3.6.1): whoever binds with SO_REUSEADDR, as servers
    do, may have it, and whoever looks for a free one, as here without it, passes it by."""
    with socket.socket() as listener:
        try:
            listener.bind((LOOPBACK, port))
        except OSError:
            return False
        # Only now, for it would have let the port of another reservation be had; what waits of this
        # one must bear it, or nobody may bind beside it.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.listen(1)
        with socket.create_connection((LOOPBACK, port)):
            accepted, _ = listener.accept()
            accepted.close()  # who closes first keeps the port waiting
    return True


def claim_port(port: int, option: str) -> int:
    """The port if it is free (0: any free one). Raises PortTaken naming its holder."""
    if port == 0:
        return free_ports(1)[0]
    try:
        socket.create_server((LOOPBACK, port)).close()
    except OSError:
        raise PortTaken(
            f"port {port} is in use{_holder(port)}; choose another with {option} N"
        ) from None
    return port


def _holder(port: int) -> str:
    try:
        for connection in psutil.net_connections("tcp"):
            listens_on = (connection.laddr or (None, None))[1]
            if connection.status == psutil.CONN_LISTEN and listens_on == port:
                if connection.pid is None:
                    return ""
                return f" by {psutil.Process(connection.pid).name()} (process {connection.pid})"
    except psutil.Error:  # another user's process: its name is not ours to see
        return ""
    return ""
