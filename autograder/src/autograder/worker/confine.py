"""How a fork of the warm process shuts itself in: namespaces, mounts, limits, seccomp.

Everything here is plain Linux through libc. It runs before any code of a student's.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import resource
import socket
import struct
from typing import Any

CLONE_NEWNS, CLONE_NEWIPC, CLONE_NEWPID, CLONE_NEWNET = 0x20000, 0x8000000, 0x20000000, 0x40000000
MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REC, MS_PRIVATE = 0x2, 0x4, 0x8, 0x4000, 0x40000
PR_SET_PDEATHSIG, PR_SET_SECCOMP, PR_CAPBSET_DROP = 1, 22, 24
PR_SET_NO_NEW_PRIVS, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL = 38, 47, 4
SECCOMP_MODE_FILTER = 2
CAPABILITY_VERSION_3 = 0x20080522
SIGKILL = 9
SIOCSIFFLAGS, IFF_UP = 0x8914, 0x1
FOLDERS = ("/tmp", "/dev/shm", "/home/student")  # empty, writable, gone with the sandbox

_libc = ctypes.CDLL(None, use_errno=True)


def _call(name: str, *args: Any) -> None:
    if getattr(_libc, name)(*args) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


def die_with_parent() -> None:
    """End this process when the one that forked it ends."""
    _call("prctl", PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0)


def new_namespaces() -> None:
    """Own mounts, IPC and network; the next child is the first of a new process namespace."""
    _call("unshare", CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWPID | CLONE_NEWNET)
    _call("mount", b"none", b"/", None, MS_REC | MS_PRIVATE, None)


def fresh_mounts(tmp_bytes: int) -> None:
    """An own /proc, own terminals, and empty temporary folders of at most `tmp_bytes` each."""
    flags = MS_NOSUID | MS_NODEV
    _call("mount", b"proc", b"/proc", b"proc", flags | MS_NOEXEC, None)
    terminals = b"newinstance,ptmxmode=0666,mode=620"
    _call("mount", b"devpts", b"/dev/pts", b"devpts", MS_NOSUID | MS_NOEXEC, terminals)
    for folder in FOLDERS:
        size = b"mode=1777,size=%d" % tmp_bytes
        _call("mount", b"tmpfs", folder.encode(), b"tmpfs", flags, size)


def start_loopback() -> None:
    """Switch on the loopback interface of this network namespace."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack("16sh14x", b"lo", IFF_UP)
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, request)


def limit_resources(options: dict[str, Any]) -> None:
    """Lower this process's limits for good."""
    limits = {
        resource.RLIMIT_DATA: options["memory_mb"] * 2**20,
        resource.RLIMIT_NPROC: options["processes"],
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_NOFILE: 256,
        resource.RLIMIT_FSIZE: options["file_mb"] * 2**20,
    }
    for kind, value in limits.items():
        resource.setrlimit(kind, (value, value))


def drop_privileges(uid: int, program: bytes) -> None:
    """Become an ordinary user for good, without capabilities and behind a system call filter.

    Args:
        uid: the user to become where this process is root.
        program: the seccomp filter, as BPF instructions of eight bytes.
    """
    _call("prctl", PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    _call("prctl", PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
    for capability in range(64):
        with contextlib.suppress(OSError):  # numbers this kernel does not know
            _call("prctl", PR_CAPBSET_DROP, capability, 0, 0, 0)
    if os.getuid() == 0:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    header = struct.pack("Ii", CAPABILITY_VERSION_3, 0)
    _call("capset", header, bytes(24))
    _load_filter(program)


def _load_filter(program: bytes) -> None:
    instructions = ctypes.create_string_buffer(program, len(program))
    head = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(instructions))
    _call("prctl", PR_SET_SECCOMP, SECCOMP_MODE_FILTER, head, 0, 0)
