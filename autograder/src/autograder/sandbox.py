"""A sandbox for one submission: bubblewrap, seccomp, limits, and one socket.

Inside: the system's libraries and the Python environment (read only), the worker, the student's
distribution `sft2rl`, and empty temporary folders. Not inside: the network, this project, the
course folder, other submissions, the grader's environment. There is no fallback: where this
cannot be had, `Sandbox` raises `SandboxUnavailable` with one sentence.
"""

from __future__ import annotations

import importlib.util
import itertools
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable
from pathlib import Path

import psutil

from autograder import seccomp
from autograder.config import CourseError, Limits
from autograder.worker import wire

START_SECONDS = 120
FILE_MB = 256
TMP_BYTES = 512 * 2**20
# Every sandbox of a root grader gets a host uid of its own: process limits count per uid.
FIRST_UID, UIDS = 2_000_000, 1_000_000
_slots = itertools.count(secrets.randbelow(UIDS))

# What libc reads to learn whether it may ask for huge pages.
HUGE_PAGES = "/sys/kernel/mm/transparent_hugepage"

INSIDE_ENV = {
    "PATH": "/opt/env/bin:/usr/bin:/bin",
    "HOME": "/home/student",
    "USER": "student",
    "LOGNAME": "student",
    "LANG": "C.UTF-8",
    "TZ": "UTC",
    "PYTHONPATH": "/run/lib",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONHASHSEED": "0",
    # Huge pages make a fork of the executed notebook three times cheaper (docs/sandbox.md).
    "PYTHONMALLOC": "malloc",
    "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    "MPLCONFIGDIR": "/tmp/matplotlib",
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_VERBOSITY": "error",
    "TOKENIZERS_PARALLELISM": "false",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "TQDM_MININTERVAL": "10",
}


class SandboxUnavailable(CourseError):
    """The sandbox cannot be had here; the sentence says why and what to install."""


class Sandbox:
    """One running sandbox; use it as a context manager.

    Attributes:
        sock: the grader's end of the channel.
        ended: why the sandbox was ended from outside ("memory"), or "".
    """

    def __init__(
        self, limits: Limits, preload: tuple[str, ...] = (), loopback: bool = False
    ) -> None:
        bwrap = shutil.which("bwrap")
        if bwrap is None:
            raise SandboxUnavailable(
                "Grading needs bubblewrap, which is not installed: apt-get install bubblewrap."
            )
        self.limits = limits
        self.ended = ""
        self.sock, inside = socket.socketpair()
        self._errors = tempfile.TemporaryFile()
        self._process = self._launch(bwrap, inside, loopback)
        inside.close()
        self._greet(preload)
        threading.Thread(target=self._watch, daemon=True).start()

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    @property
    def alive(self) -> bool:
        """Whether the sandbox still runs."""
        return self._process.poll() is None

    def how_it_ended(self) -> str:
        """Why the sandbox is gone: "memory", "timeout" or "crash"."""
        try:
            status = self._process.wait(5)
        except subprocess.TimeoutExpired:
            return "crash"  # the socket was closed by a process that lives on
        return self.ended or ("timeout" if status == 128 + signal.SIGXCPU else "crash")

    def close(self) -> None:
        """End every process of the sandbox and wait until they are gone."""
        self._process.kill()  # --die-with-parent ends the whole process namespace with it
        self._process.wait()
        self.sock.close()
        self._errors.close()

    def _launch(self, bwrap: str, inside: socket.socket, loopback: bool) -> subprocess.Popen[bytes]:
        try:
            filter_fd = seccomp.filter_program(loopback)
        except (ImportError, OSError) as error:
            raise SandboxUnavailable(
                "Grading needs libseccomp, which could not be loaded: "
                "apt-get install libseccomp2; pip install pyseccomp."
            ) from error
        # The worker expects its socket as descriptor 3, so the shell of bwrap's argument list
        # is not needed: dup2 in the child puts it there.
        socket_fd = inside.fileno()
        command = [
            bwrap,
            *_namespaces(),
            *_file_system(),
            *("--seccomp", str(filter_fd)),
            *("/opt/env/bin/python", "-s", "-P", "-c", _BOOT, str(socket_fd)),
        ]
        try:
            return subprocess.Popen(
                command,
                env={},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self._errors,
                pass_fds=(socket_fd, filter_fd),
                cwd="/",
            )
        finally:
            os.close(filter_fd)

    def _greet(self, preload: tuple[str, ...]) -> None:
        nonce = secrets.token_hex(8)
        options = {
            "nonce": nonce,
            "uid": FIRST_UID + next(_slots) % UIDS,
            "memory_mb": self.limits.memory_mb,
            "processes": self.limits.processes,
            "file_mb": FILE_MB,
            "preload": list(preload),
        }
        try:
            wire.send(self.sock, options, [])
            answer, _ = wire.receive(self.sock, time.monotonic() + START_SECONDS)
        except (OSError, EOFError, wire.WireError) as error:
            self._process.kill()
            self._process.wait()
            self._errors.seek(0)
            detail = self._errors.read(2000).decode("utf-8", "replace").strip()
            last = detail.splitlines()[-1] if detail else "it gave no reason"
            self.sock.close()
            self._errors.close()
            raise SandboxUnavailable(
                f"The sandbox did not start ({last}). Grading needs bubblewrap with user "
                "namespaces: see docs/sandbox.md."
            ) from error
        assert answer == {"nonce": nonce, "ready": True}

    def _watch(self) -> None:
        """End the sandbox when its processes together hold too much memory."""
        limit = self.limits.memory_mb * 2**20
        while self._process.poll() is None:
            if _memory(self._process.pid) > 1.25 * limit + 2**30:
                self.ended = "memory"
                self._process.kill()
                return
            time.sleep(0.25)


# Runs first inside: moves the socket to descriptor 3 and starts the worker.
_BOOT = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.set_inheritable(3, False)
sys.path[:0] = ["/run/worker", "/run/lib"]
import main
main.main()
"""


def _namespaces() -> list[str]:
    options = ["--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts"]
    options += ["--unshare-cgroup-try", "--die-with-parent", "--new-session", "--clearenv"]
    options += ["--hostname", "sandbox", "--cap-drop", "ALL"]
    if os.geteuid() == 0:
        # The worker gives up root for a uid of its own before it runs anything.
        return [*options, "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
    return [*options, "--unshare-user", "--disable-userns", "--uid", "65534", "--gid", "65534"]


def _file_system() -> list[str]:
    here = Path(__file__).resolve().parent
    binds = [(path, path) for path in _libraries()]
    links: list[str] = []
    for name in ("bin", "lib", "lib64", "sbin"):
        if (link := Path("/", name)).is_symlink():
            links += ["--symlink", os.readlink(link), str(link)]
        elif link.is_dir():
            binds.append((str(link), str(link)))
    binds += [
        (sys.prefix, "/opt/env"),
        *_hide_autograder(),
        (str(here / "worker"), "/run/worker"),
        (str(_package_folder("sft2rl")), "/run/lib/sft2rl"),
    ]
    options = _parents(inside for _, inside in binds) + links
    for outside, inside in binds:
        options += ["--ro-bind", outside, inside]
    for path in ("/etc/ld.so.cache", HUGE_PAGES):
        options += ["--ro-bind-try", path, path]
    options += ["--proc", "/proc", "--dev", "/dev"]
    for path in ("/tmp", "/dev/shm", "/home/student"):
        options += ["--perms", "1777", "--size", str(TMP_BYTES), "--tmpfs", path]
    for name, value in INSIDE_ENV.items():
        options += ["--setenv", name, value]
    return [*options, "--chdir", "/"]


def _parents(paths: Iterable[str]) -> list[str]:
    """Make the folders above the mounts readable; bubblewrap alone would make them private."""
    folders = {str(parent) for path in paths for parent in Path(path).parents} | {"/etc", "/home"}
    options: list[str] = []
    for folder in sorted(folders - {"/"}):
        if not folder.startswith("/opt/env"):
            options += ["--perms", "0755", "--dir", folder]
    return options


def _libraries() -> list[str]:
    """The system folders a Python process needs. Not /usr/local: the exchange lives there."""
    folders = ["/usr/bin", "/usr/lib", "/usr/lib64", "/usr/share/zoneinfo"]
    base = Path(sys.base_prefix).resolve()
    if base == Path("/usr/local"):
        folders += ["/usr/local/bin", "/usr/local/lib"]
    elif base != Path("/usr") and base != Path(sys.prefix).resolve():
        folders.append(str(base))
    return [folder for folder in folders if Path(folder).is_dir()]


def _hide_autograder() -> list[tuple[str, str]]:
    """If this package is installed inside the environment, cover it with one that says no."""
    folder = _package_folder("autograder")
    prefix = Path(sys.prefix).resolve()
    if not folder.is_relative_to(prefix):
        return []
    decoy = Path(__file__).resolve().parent / "worker" / "hidden"
    return [(str(decoy), f"/opt/env/{folder.relative_to(prefix)}")]


def _package_folder(name: str) -> Path:
    spec = importlib.util.find_spec(name)
    assert spec is not None and spec.origin is not None
    return Path(spec.origin).resolve().parent


def _memory(pid: int) -> int:
    """Bytes held by a process and its descendants; shared pages count once."""
    try:
        root = psutil.Process(pid)
        family = [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0
    total = sum(_of(each, "memory_info", "rss") for each in family)
    if total < 2**30:
        return total
    return sum(_of(each, "memory_full_info", "pss") for each in family)


def _of(process: psutil.Process, method: str, field: str) -> int:
    try:
        return getattr(getattr(process, method)(), field)
    except psutil.Error:
        return 0
