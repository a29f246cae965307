"""A sandbox for one submission: namespaces, seccomp, limits, and one socket.

Inside: the system's libraries and the Python environment (read only), the worker, the student's
distribution `sft2rl`, and empty temporary folders. Not inside: the network, this project, the
course folder, other submissions, the grader's environment. There is no fallback: where this
cannot be had, `Sandbox` raises `SandboxUnavailable` with one sentence.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import secrets
import select
import signal
import socket
import struct
import threading
import time
from pathlib import Path

import psutil
import torch

from autograder import seccomp
from autograder.config import Limits
from autograder.worker import wire
from autograder.zygote import (
    SandboxUnavailable,
    forget_zygotes,
    gpu_devices,
    unavailable,
    zygote,
)

START_SECONDS = 60
END_SECONDS = 30
FILE_MB = 256
PF_EXITING = 0x4  # among the flags in /proc/*/stat
TMP_BYTES = 512 * 2**20
GPU = "cuda"  # as torch calls it
# Every sandbox of a root grader gets a host uid of its own: process limits count per uid.
FIRST_UID, UIDS = 2_000_000, 1_000_000
# Most kernels are built so that they say which processes a process has started.
KERNEL_KNOWS_CHILDREN = os.path.exists(f"/proc/self/task/{os.getpid()}/children")
_slots = itertools.count(secrets.randbelow(UIDS))


class SandboxLost(Exception):
    """The sandbox was ended by something outside it; what it ran can be run again."""


class Sandbox:
    """One running sandbox; use it as a context manager.

    Attributes:
        sock: the grader's end of the channel.
        pid: the first process of the sandbox, as this machine counts.
        ended: why the sandbox was ended from outside ("memory", "gpu-memory"), or "".
        device: where hidden inputs go: to the GPU if the limits and the machine have one.
        closed: whether `close` was called.
    """

    def __init__(self, limits: Limits, preload: tuple[str, ...] = ()) -> None:
        self.limits = limits
        self.ended = ""
        self.closed = False
        self.device = GPU if limits.gpu and gpu_devices() else "cpu"
        self.pid = self._launch(preload)
        self._pidfd = os.pidfd_open(self.pid)
        self._greet(preload)
        threading.Thread(target=self._watch, args=(os.dup(self._pidfd),), daemon=True).start()

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    @property
    def alive(self) -> bool:
        """Whether the sandbox still runs."""
        return not self.closed and not select.select([self._pidfd], [], [], 0)[0]

    def seconds_waited(self) -> dict[int, float]:
        """How long each process inside was ready to run and had no core, in all its life."""
        return {each.pid: _waited(each.pid) for each in _family(self.pid)}

    def how_it_ended(self) -> str:
        """Why the socket was closed: "memory", "gpu-memory", "timeout" or "crash".

        Raises:
            SandboxLost: it was not the student's code that ended it.
        """
        if not _ends(self._session):
            return "crash"  # it closed the socket and lives on; not asked of a clock
        status = self._report(END_SECONDS)
        if self.ended:
            return self.ended
        if status is None or status < 0:
            raise SandboxLost(f"ended from outside (status {status})")
        return "timeout" if status == 128 + signal.SIGXCPU else "crash"

    def close(self) -> None:
        """End every process of the sandbox and wait until they are gone."""
        if self.closed:
            return
        self.closed = True
        _kill(self._pidfd)
        self._report(END_SECONDS)
        self.sock.close()
        os.close(self._status)
        os.close(self._pidfd)

    def _launch(self, preload: tuple[str, ...]) -> int:
        """Fork a sandbox from the warm process; if that one has died, from a new one."""
        try:
            return self._spawn(preload)
        except (OSError, EOFError):
            forget_zygotes()
        try:
            return self._spawn(preload)
        except (OSError, EOFError) as error:
            raise unavailable(zygote(preload, self.limits.gpu).complaint()) from error

    def _spawn(self, preload: tuple[str, ...]) -> int:
        warm = zygote(preload, self.limits.gpu)
        program = _filter(self.limits.loopback)
        self._nonce = secrets.token_hex(8)
        self.sock, inside = socket.socketpair()
        self._status, report = os.pipe()
        options = {
            "nonce": self._nonce,
            "uid": FIRST_UID + next(_slots) % UIDS,
            "memory_mb": self.limits.memory_mb,
            "processes": self.limits.processes,
            "loopback": self.limits.loopback,
            "cores": sorted(os.sched_getaffinity(0)),
            "file_mb": FILE_MB,
            "tmp_bytes": TMP_BYTES,
        }
        try:
            warm.spawn(options, [inside.fileno(), report, program])
        finally:
            inside.close()
            os.close(report)
            os.close(program)
        pid = self._report(START_SECONDS)
        if pid is None or pid < 0:
            raise EOFError("the warm process did not fork")
        return pid

    def _greet(self, preload: tuple[str, ...]) -> None:
        try:
            answer, _ = wire.receive(self.sock, wire.until(time.monotonic() + START_SECONDS))
        except (OSError, EOFError, wire.WireError) as error:
            self.close()
            raise unavailable(zygote(preload, self.limits.gpu).complaint()) from error
        assert answer == {"nonce": self._nonce, "ready": True}
        # The only child so far; 0 if it is gone already.
        self._session = next(iter(_children(self.pid)), 0)

    def _report(self, seconds: float) -> int | None:
        """The next number from the guard; -1 if it died, None if nothing comes in time."""
        if not select.select([self._status], [], [], seconds)[0]:
            return None
        data = os.read(self._status, 4)
        return struct.unpack("!i", data)[0] if len(data) == 4 else -1

    def _watch(self, pidfd: int) -> None:
        """End the sandbox when its processes together hold too much memory."""
        limit = 1.25 * self.limits.memory_mb * 2**20 + 2**30
        while not select.select([pidfd], [], [], 0.25)[0]:
            if _too_large(self.pid, limit):
                self.ended = "memory"
            elif self.device != "cpu" and _on_gpu(self.pid) > self.limits.gpu_memory_mb * 2**20:
                self.ended = "gpu-memory"
            if self.ended:
                _kill(pidfd)
        os.close(pidfd)


def stay_on_one_core(number: int) -> None:
    """Keep this process, with one thread, and the sandboxes that it opens next on one core.

    They take turns. On two cores each would wait for the other to wake up, and find its cache cold:
    a submission of 01_tokenizer costs a fifth more.

    Args:
        number: processes with numbers in a row get cores of their own, as far as there are any.
    """
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[number % len(cores)]})
    torch.set_num_threads(1)  # several would wait for each other


def _kill(pidfd: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)


def _filter(loopback: bool) -> int:
    """The system call filter, in a memory file."""
    try:
        return seccomp.filter_program(loopback)
    except (ImportError, OSError) as error:
        raise SandboxUnavailable(
            "Grading needs libseccomp, which could not be loaded: "
            "apt-get install libseccomp2; pip install pyseccomp."
        ) from error


def _too_large(pid: int, limit: float) -> bool:
    """Whether a process and its descendants together hold more than `limit` bytes."""
    family = _family(pid)
    # Shared pages count in every process here; to count them once is exact, and slow.
    if sum(_of(each, "memory_info", "rss") for each in family) <= limit:
        return False
    return sum(_of(each, "memory_full_info", "pss") for each in family) > limit


def _on_gpu(pid: int) -> int:
    """Bytes of GPUs' memory that a process and its descendants hold together."""
    from autograder import gpu  # 30 ms at the start of a grader that has no GPU

    used = gpu.memory_used()
    return sum(used[each.pid] for each in _family(pid))


def _family(pid: int) -> list[psutil.Process]:
    """A process and its descendants; none if it is gone."""
    found, todo = [], [pid]
    while todo:
        with contextlib.suppress(psutil.NoSuchProcess):
            found.append(psutil.Process(each := todo.pop()))
            todo += _children(each)
    return found


def _children(pid: int) -> list[int]:
    """The children of a process; psutil looks at every process of the machine for them."""
    found: list[int] = []
    with contextlib.suppress(OSError, psutil.NoSuchProcess):  # it, or one of its threads, is gone
        if not KERNEL_KNOWS_CHILDREN:
            return [each.pid for each in psutil.Process(pid).children()]
        for task in Path(f"/proc/{pid}/task").iterdir():
            found += map(int, (task / "children").read_text().split())
    return found


def _ends(pid: int) -> bool:
    """Whether a process is gone or about to be: it closes its files on the way."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return True
    return fields[0] in "ZX" or bool(int(fields[6]) & PF_EXITING)


def _waited(pid: int) -> float:
    """Seconds that a process was ready to run and had no core; 0 where the kernel does not say."""
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9
    except (OSError, IndexError):
        return 0.0


def _of(process: psutil.Process, method: str, field: str) -> int:
    try:
        return getattr(getattr(process, method)(), field)
    except psutil.Error:
        return 0
