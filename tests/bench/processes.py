"""Processes of a stage: ones that serve until they are not needed, and ones that answer."""

import contextlib
import multiprocessing
import os
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from typing import Any

from infra.load.run import cores, pin

START_SECONDS = 15.0

context = multiprocessing.get_context("fork")


class CantRunHere(Exception):
    """What a stage needs is not on this machine; the message says what."""


@contextlib.contextmanager
def process(target: Callable[..., None], *arguments: object) -> Iterator[int]:
    """A process, killed at the end."""
    child = context.Process(target=target, args=arguments, daemon=True)
    child.start()
    try:
        yield child.pid or 0
    finally:
        child.kill()
        child.join(10)


@contextlib.contextmanager
def serving(target: Callable[..., None], *arguments: object) -> Iterator[int]:
    """A process that says when it listens."""
    ready = context.Event()
    with process(target, *arguments, ready) as pid:
        if not ready.wait(START_SECONDS):
            raise RuntimeError("the server did not start")
        yield pid


def answer_of(seconds: float, target: Callable[..., Any], *arguments: object) -> Any:
    """What a function answers in a process of its own. Raises RuntimeError when it doesn't."""
    ours, theirs = context.Pipe(duplex=False)
    with process(_answer, theirs, target, *arguments):
        theirs.close()
        if not ours.poll(seconds):
            raise RuntimeError(f"no answer in {seconds:.0f} s")
        try:
            return ours.recv()
        except EOFError as error:
            raise RuntimeError("the process ended without an answer; it said why") from error


def _answer(pipe: Connection, target: Callable[..., Any], *arguments: object) -> None:
    pipe.send(target(*arguments))


def on_the_servers_core() -> None:
    """Keeps this process on the first core, where loads leave it alone; of one only, nothing."""
    if len(cores()) > 1:
        pin(os.getpid(), cores()[0])


def load_core() -> int | None:
    """The core that loads are put on from; None where there is one only."""
    return cores()[-1] if len(cores()) > 1 else None
