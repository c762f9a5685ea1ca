"""A part of the stack: what it is, and its process.

Invariant: a part has at most one process, which leads a group of its own; when the process has
ended, whatever it left of its group is killed.
"""

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from infra.local.children import die_with_parent
from infra.local.home import PartState
from infra.local.probes import Probe

STOP_SECONDS = 5.0
_LOG_MOST = 16 * 1024 * 1024
_TAIL_LINES = 8


@dataclass(frozen=True, kw_only=True)
class Part:
    """How to run one part. `after` names the parts and steps that must be done first."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    log: Path
    probe: Probe
    after: frozenset[str] = frozenset()
    prepare: Callable[[], None] | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    death_signal: signal.Signals = signal.SIGKILL
    as_ordinary_user: bool = False


@dataclass(frozen=True, kw_only=True)
class Step:
    """Work that is done once at each start, on a thread."""

    name: str
    run: Callable[[], None]
    after: frozenset[str] = frozenset()


@dataclass
class Running:
    """A part and its process, if it has one."""

    part: Part
    state: str = "stopped"
    detail: str = ""
    restarts: int = 0
    process: asyncio.subprocess.Process | None = field(default=None, repr=False)

    def show(self) -> PartState:
        return PartState(
            name=self.part.name,
            pid=self.process.pid if self.process else None,
            state=self.state,
            detail=self.detail,
            restarts=self.restarts,
        )

    async def start(self) -> None:
        """Starts the process; its output is appended to the part's log. Raises OSError."""
        self.state = "starting"
        _rotate(self.part.log)
        log = os.open(self.part.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            self.process = await asyncio.create_subprocess_exec(
                *self.part.command,
                env=dict(self.part.environment),
                cwd=self.part.log.parent,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=die_with_parent(
                    self.part.death_signal, as_ordinary_user=self.part.as_ordinary_user
                ),
            )
        finally:
            os.close(log)

    async def ended(self) -> int:
        """Waits for the process to end, kills what is left of its group, gives its exit code."""
        process = self.process
        if process is None:
            raise RuntimeError(f"{self.part.name} was never started")
        code = await process.wait()
        _kill_group(process.pid)
        return code

    async def stop(self) -> None:
        """Asks the process to end, and kills it when it hasn't within STOP_SECONDS."""
        process, self.state = self.process, "stopped"
        if process is None:
            return
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):  # it ended in this instant
                process.send_signal(self.part.stop_signal)
            try:
                await asyncio.wait_for(process.wait(), STOP_SECONDS)
            except TimeoutError:
                _kill_group(process.pid)
                await process.wait()
        _kill_group(process.pid)

    def tail(self) -> str:
        """The last lines of the log, for a message."""
        if not self.part.log.exists():
            return ""
        with self.part.log.open("rb") as file:
            file.seek(max(0, self.part.log.stat().st_size - 4096))
            lines = file.read().decode(errors="replace").splitlines()
        return "\n".join(f"  | {line[:400]}" for line in lines[-_TAIL_LINES:])


def _kill_group(leader: int) -> None:
    with contextlib.suppress(ProcessLookupError):  # nothing is left of it, as it should be
        os.killpg(leader, signal.SIGKILL)


def _rotate(log: Path) -> None:
    """A log past 16 MiB is set aside when its part starts; one older log is kept."""
    if log.exists() and log.stat().st_size > _LOG_MOST:
        log.replace(log.with_suffix(".log.1"))
