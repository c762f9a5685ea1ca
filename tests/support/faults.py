"""What goes wrong in a running stack, done to it: kills, stops, cut connections, lost files, and
reports that come twice and in the wrong order.
"""

import ctypes
import os
import shutil
import signal
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil
import redis

from infra.command.verify_ledger import connect
from infra.local.plan import EXECUTION_PARTITIONS
from tests.support.eventually import wait_until
from tests.support.stack import Stack

WAIT_SECONDS = 240.0
_PIDFD_GETFD = 438  # syscall(2); the number is the same on x86_64 and arm64

_libc = ctypes.CDLL(None, use_errno=True)


def end(stack: Stack, names: Sequence[str], number: signal.Signals = signal.SIGKILL) -> None:
    """Ends the parts all at once, and returns when each has another process."""
    ended = {name: stack.pid_of(name) for name in names}
    for pid in ended.values():
        os.kill(pid, number)
    wait_until(lambda: all(stack.pid_of(name) != pid for name, pid in ended.items()), WAIT_SECONDS)


def holder_of(stack: Stack, lease: str) -> str:
    """The part that holds a lease of shard 0 now."""
    connection = connect(stack.stores["postgres"][0])
    try:
        rows = connection.run("SELECT holder FROM edge.lease WHERE name = :name", name=lease)
    finally:
        connection.close()
    return str(rows[0][0])


def stop_past_the_lease(stack: Stack, leases: Sequence[str]) -> None:
    """SIGSTOP to the holders, until others hold all of their leases; then SIGCONT, and each has
    found out and ended before this returns."""
    holders = {lease: holder_of(stack, lease) for lease in leases}
    processes = {name: stack.part(name) for name in set(holders.values())}
    for process in processes.values():
        process.send_signal(signal.SIGSTOP)
    wait_until(lambda: all(holder_of(stack, n) != was for n, was in holders.items()), WAIT_SECONDS)
    for process in processes.values():
        process.send_signal(signal.SIGCONT)
    for process in processes.values():
        process.wait(WAIT_SECONDS)


def cut(process: psutil.Process, port: int) -> int:
    """Both ends of each TCP connection of the process to that port learn that it is over, as from
    a middlebox (shutdown(2) of its own sockets). Returns how many there were."""
    found = [c.fd for c in process.net_connections("tcp") if c.raddr and c.raddr.port == port]
    pidfd = os.pidfd_open(process.pid)
    try:
        for number in found:
            fd = _libc.syscall(_PIDFD_GETFD, pidfd, number, 0)
            if fd < 0:
                raise OSError(ctypes.get_errno(), "pidfd_getfd")
            with socket.socket(fileno=fd) as end:
                end.shutdown(socket.SHUT_RDWR)
    finally:
        os.close(pidfd)
    return len(found)


def lose_folder(folder: Path) -> None:
    """It is gone at once, however many files a process has open in it."""
    lost = folder.with_name(f"{folder.name}.lost")
    folder.rename(lost)
    shutil.rmtree(lost)


def tell_twice_and_out_of_order(stack: Stack, least: int) -> None:
    """Stops the ledger's worker until so many reports wait for it; they then come to it the latest
    first, and all of them once more."""
    worker = stack.part("ledger")
    worker.send_signal(signal.SIGSTOP)
    try:
        with redis.Redis.from_url(stack.stores["streams"]) as client:
            wait_until(lambda: sum(map(len, _unread(client).values())) >= least, WAIT_SECONDS)
            pipeline = client.pipeline(transaction=True)
            for stream, entries in _unread(client).items():
                for _, fields in [*reversed(entries), *reversed(entries)]:
                    pipeline.xadd(stream, fields)
                pipeline.xdel(stream, *(entry for entry, _ in entries))
            pipeline.execute()
    finally:
        worker.send_signal(signal.SIGCONT)


def _unread(client: redis.Redis) -> dict[str, list[Any]]:
    """The reports of each partition that were not given to the ledger yet."""
    found: dict[str, list[Any]] = {}
    for stream in (f"executions.{number}" for number in range(EXECUTION_PARTITIONS)):
        (group,) = client.xinfo_groups(stream)
        entries = client.xrange(stream, min=b"(" + group["last-delivered-id"])
        if entries:
            found[stream] = entries
    return found
