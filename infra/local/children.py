"""Starting a process so that it can't outlive us.

Invariant: a child leads its own process group (a terminal's Ctrl-C reaches only the supervisor)
and is signalled by the kernel when the thread that started it is gone, whatever killed that.
Children must therefore be started from the main thread.
"""

import ctypes
import os
import signal
from collections.abc import Callable

from infra.local.refusals import StartRefused

_PR_SET_PDEATHSIG = 1
_CLONE_NEWUSER = 0x10000000
# Any ordinary user inside the namespace; it stands for the real user outside.
_MAPPED_ID = 1000

_libc = ctypes.CDLL(None, use_errno=True)


class RootRefused(StartRefused):
    """PostgreSQL refuses root, and this system refuses the user namespace that would serve."""


def die_with_parent(
    death_signal: signal.Signals = signal.SIGKILL,
    *,
    as_ordinary_user: bool = False,
    expected_parent: int | None = None,
) -> Callable[[], None]:
    """What a child does between fork and exec (`preexec_fn`), or first of all if it was forked.

    `expected_parent`: for a caller that is the child already.

    `as_ordinary_user`: when we are root, the child sees itself as user 1000 in a user namespace of
    its own; its files still belong to the real user.
    """
    parent = os.getpid() if expected_parent is None else expected_parent
    uid, gid = os.getuid(), os.getgid()
    remap = as_ordinary_user and uid == 0

    def prepare() -> None:
        if remap:
            _enter_user_namespace(uid, gid)
        # After the namespace: a change of credentials clears the death signal (prctl(2)).
        _libc.prctl(_PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
        if os.getppid() != parent:  # the parent died before prctl took hold
            os._exit(1)

    return prepare


def check_user_namespace() -> None:
    """Raises RootRefused when we are root and can't lend a child an ordinary user."""
    if os.getuid() != 0:
        return
    child = os.fork()
    if child == 0:
        try:
            _enter_user_namespace(0, os.getgid())
        except OSError:
            os._exit(1)
        os._exit(0)
    if os.waitpid(child, 0)[1] != 0:
        raise RootRefused("PostgreSQL won't run as root here: start Outcry as an ordinary user")


def _enter_user_namespace(uid: int, gid: int) -> None:
    """user_namespaces(7): one id mapped each way; setgroups must be denied before gid_map."""
    if _libc.unshare(_CLONE_NEWUSER) != 0:
        raise OSError(ctypes.get_errno(), "unshare(CLONE_NEWUSER)")
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{_MAPPED_ID} {uid} 1"),
        ("gid_map", f"{_MAPPED_ID} {gid} 1"),
    ):
        descriptor = os.open(f"/proc/self/{name}", os.O_WRONLY)
        os.write(descriptor, text.encode())
        os.close(descriptor)
