"""The grader's side of the warm process that sandboxes are forked from.

bubblewrap gives it a file system: the system's libraries and the Python environment (read only),
the worker, the student's distribution `sft2rl`. It has no network, no environment, nothing of this
project's and no code of a student's; worker/zygote.py runs in it.
"""

from __future__ import annotations

import atexit
import contextlib
import glob
import importlib.util
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from autograder.config import Assignment, CourseError
from autograder.preload import preload_of

START_SECONDS = 120
# What most notebooks import, so that not every submission pays for it.
COMMON_IMPORTS = ("import numpy, torch, matplotlib.pyplot, matplotlib_inline.backend_inline",
                  "import importlib.readers, ipywidgets, regex")  # fmt: skip
# Making namespaces and mounts, becoming another user, dropping capabilities, switching on loopback.
CAPABILITIES = ("CAP_SYS_ADMIN", "CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP", "CAP_NET_ADMIN")
# What libc reads to learn whether it may ask for huge pages.
HUGE_PAGES = "/sys/kernel/mm/transparent_hugepage"

# How NVIDIA's driver is reached; its libraries are among the system's.
GPU_DEVICES = ("/dev/nvidia*", "/dev/dxg")
# torch.cuda.is_available() then asks the driver's library and leaves the process fit for forks.
GPU_ENV = {"PYTORCH_NVML_BASED_CUDA_CHECK": "1"}

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


MAX_WARM = 2
# By imports and whether there is a GPU; the one that was used last comes last.
_warm: dict[tuple[tuple[str, ...], bool], Zygote] = {}


class SandboxUnavailable(CourseError):
    """The sandbox cannot be had here; the sentence says why and what to install."""


class Zygote:
    """One warm process; it ends with the process that started it."""

    def __init__(self, preload: tuple[str, ...], gpu: bool) -> None:
        """Start it; it runs these imports besides the common ones while this process goes on.

        Args:
            preload: import statements.
            gpu: whether its sandboxes see this machine's GPUs.

        Raises:
            SandboxUnavailable: it cannot be started.
        """
        bwrap = shutil.which("bwrap")
        if bwrap is None:
            raise SandboxUnavailable(
                "Grading needs bubblewrap, which is not installed: apt-get install bubblewrap."
            )
        devices = gpu_devices() if gpu else []
        self._control, inside = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._errors = tempfile.TemporaryFile()
        self._process = subprocess.Popen(
            [
                bwrap,
                *_namespaces(),
                *_file_system(devices),
                *("/opt/env/bin/python", "-s", "-P", "-c", _BOOT, str(inside.fileno())),
            ],
            env={},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self._errors,
            pass_fds=(inside.fileno(),),
            cwd="/",
        )
        inside.close()
        self._ready = False
        with contextlib.suppress(OSError):  # it is gone already: `_wait` will find out why
            options = {"imports": [*COMMON_IMPORTS, *preload], "gpu": bool(devices)}
            self._control.send(json.dumps(options).encode())

    def spawn(self, options: dict[str, Any], fds: list[int]) -> None:
        """Fork a sandbox that serves the socket fds[0] and reports on the pipe fds[1].

        Raises:
            OSError: the warm process is gone.
            SandboxUnavailable: it did not start.
        """
        if not self._ready:
            self._wait()
        socket.send_fds(self._control, [json.dumps(options).encode()], fds)

    def complaint(self) -> str:
        """The last line of what went wrong inside."""
        self._errors.seek(0)
        lines = self._errors.read(20_000).decode("utf-8", "replace").strip().splitlines()
        return lines[-1] if lines else "it gave no reason"

    def close(self) -> None:
        """End it; sandboxes that were forked from it end too."""
        self._process.kill()
        self._process.wait()
        self._control.close()
        self._errors.close()

    def _wait(self) -> None:
        """Until everything is imported."""
        self._control.settimeout(START_SECONDS)
        try:
            if self._control.recv(16) != b"ready":
                raise EOFError
        except (OSError, EOFError) as error:
            self._process.kill()
            self._process.wait()
            forget_zygotes()
            raise unavailable(self.complaint()) from error
        self._ready = True


def unavailable(reason: str) -> SandboxUnavailable:
    """The error for a sandbox that did not start."""
    return SandboxUnavailable(
        f"The sandbox did not start ({reason}). Grading needs bubblewrap with user "
        "namespaces: see docs/sandbox.md."
    )


def zygote(preload: tuple[str, ...], gpu: bool) -> Zygote:
    """The warm process of this grader for these imports, started when it is first needed.

    Each assignment has its own, so only those that were used last are kept.
    """
    started = _warm.pop((preload, gpu), None) or Zygote(preload, gpu)
    _warm[preload, gpu] = started
    while len(_warm) > MAX_WARM:
        _close_quietly(_warm.pop(next(iter(_warm))))
    return started


def start_zygote(assignment: Assignment) -> None:
    """Start the warm process for an assignment, whose suite need not be imported yet.

    It takes as long as to import the grader, and does so at the same time on another core. Before
    this process forks, a sandbox must have been started: one of them has to hear that it is ready.
    """
    zygote(preload_of(assignment), assignment.limits.gpu)


def forget_zygotes() -> None:
    """Start new ones from here on: one of them was found dead."""
    _warm.clear()


def _close_quietly(started: Zygote) -> None:
    with contextlib.suppress(OSError, ValueError):
        started.close()


@atexit.register
def _close_all() -> None:
    for started in _warm.values():
        _close_quietly(started)


# Runs first inside: moves the socket to descriptor 3 and starts the warm process.
_BOOT = """
import gc, os, sys
gc.disable()  # until everything is imported
os.dup2(int(sys.argv[1]), 3)
os.set_inheritable(3, False)
sys.path[:0] = ["/run/worker", "/run/lib"]
import zygote
zygote.main()
"""


def _namespaces() -> list[str]:
    """No process namespace here: every sandbox makes its own, and its processes can be watched."""
    options = ["--unshare-net", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"]
    options += ["--die-with-parent", "--new-session", "--clearenv", "--hostname", "sandbox"]
    options += ["--cap-drop", "ALL"]
    for capability in CAPABILITIES:
        options += ["--cap-add", capability]
    if os.geteuid() != 0:
        options += ["--unshare-user", "--uid", "65534", "--gid", "65534"]
    return options


def _file_system(devices: list[str]) -> list[str]:
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
    options = _parents([*(inside for _, inside in binds), HUGE_PAGES]) + links
    for outside, inside in binds:
        options += ["--ro-bind", outside, inside]
    for path in ("/etc/ld.so.cache", HUGE_PAGES):
        options += ["--ro-bind-try", path, path]
    options += ["--proc", "/proc", "--dev", "/dev"]
    for device in devices:
        options += ["--dev-bind", device, device]
    # Every sandbox mounts its own /tmp, /dev/shm and home; this /tmp is the warm process's.
    options += ["--tmpfs", "/tmp", "--dir", "/home/student"]
    options += ["--remount-ro", "/dev", "--remount-ro", "/"]
    for name, value in {**INSIDE_ENV, **(GPU_ENV if devices else {})}.items():
        options += ["--setenv", name, value]
    return [*options, "--chdir", "/"]


def gpu_devices() -> list[str]:
    """The device files of this machine's GPUs; none where there is none."""
    return sorted(path for pattern in GPU_DEVICES for path in glob.glob(pattern))


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
