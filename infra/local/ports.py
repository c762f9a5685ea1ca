"""Ports on the loopback: a free one, and who holds one that is not."""

import contextlib
import random
import socket

import psutil

from infra.local.refusals import StartRefused

LOOPBACK = "127.0.0.1"
_OURS = range(12_000, 32_000)


class PortTaken(StartRefused):
    """The message names the port, who listens on it where the system tells, and what to do."""


def free_ports(count: int) -> list[int]:
    """Different ports nobody listens on now. Raises PortTaken when there are not as many.

    They lie below those that the system deals out to outgoing connections (RFC 6056; Linux: from
    32768), or one of these could take a port between now and its part's start.
    """
    sockets: list[socket.socket] = []
    try:
        for port in random.sample(_OURS, len(_OURS)):
            if len(sockets) == count:
                break
            with contextlib.suppress(OSError):
                sockets.append(socket.create_server((LOOPBACK, port)))
        if len(sockets) < count:
            raise PortTaken(f"{count} ports are needed, {len(sockets)} are free on {LOOPBACK}")
        return [int(each.getsockname()[1]) for each in sockets]
    finally:
        for each in sockets:
            each.close()


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
