"""The warm process: it has imported what notebooks use, and is forked for every sandbox.

It runs in the file system that bubblewrap made (`autograder.zygote`), with the capabilities to make
namespaces and without a network, and holds nothing but libraries. No code of a student's ever runs
in it. For each sandbox it forks

    guard     waits for the sandbox's end and reports how it ended
    init      the first process of the sandbox's own process namespace; it only collects the dead
    session   becomes an ordinary user and serves the grader (session.py)
"""

from __future__ import annotations

import gc
import json
import os
import signal
import socket
import struct
import sys
import traceback
from typing import Any

import confine
import heap
import torch
from deferred import defer_dynamo
from session import Worker, warm_up, warm_up_more
from shell import CellShell, start_shell

CONTROL_FD = 3  # and, in the session, the socket to the grader
MAX_MESSAGE = 64 * 2**10


def main() -> None:
    """Take the options, load the modules, say so, and fork a sandbox for every message."""
    control = socket.socket(fileno=CONTROL_FD)
    torch.set_num_threads(1)
    defer_dynamo()
    shell = start_shell()  # first: the inline backend looks for it when it is imported
    options = json.loads(control.recv(MAX_MESSAGE))
    for statement in options["imports"]:
        exec(statement, {})
    sys.path[:] = [path for path in sys.path if path != "/run/worker"]
    for number in (signal.SIGINT, signal.SIGPROF):
        signal.signal(number, signal.SIG_DFL)  # the session sets its own
    warm_up(options["gpu"])
    heap.forget_handlers()
    _settle()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for a guard
    control.send(b"ready")
    more_to_do = True
    while True:
        message, fds, _, _ = socket.recv_fds(control, MAX_MESSAGE, 3)
        if not message:
            return
        if os.fork() == 0:
            control.close()
            _guarded(_guard, json.loads(message), *fds, shell)
        for fd in fds:
            os.close(fd)
        if more_to_do:
            gc.disable()
            warm_up_more()  # while the first sandbox runs, which so came earlier
            _settle()
            more_to_do = False


def _settle() -> None:
    """Leave what the libraries allocated in peace, so that forks share it."""
    heap.fill_holes()
    gc.freeze()
    gc.enable()  # it was off for importing


def _guarded(role: Any, *args: Any) -> None:
    """Run a role to its end; what goes wrong is told on the standard error stream."""
    try:
        role(*args)
    except BaseException:
        traceback.print_exc()
    os._exit(1)


def _guard(
    options: dict[str, Any], sock_fd: int, status_fd: int, filter_fd: int, shell: CellShell
) -> None:
    """Make the namespaces, tell the grader the number of their first process, then how it ended."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.sched_setaffinity(0, options["cores"])
    confine.die_with_parent()
    confine.new_namespaces()
    init = os.fork()
    if init == 0:
        os.close(status_fd)
        _guarded(_init, options, sock_fd, filter_fd, shell)
    os.close(sock_fd)
    os.write(status_fd, struct.pack("!i", init))
    _, status = os.waitpid(init, 0)
    # A negative number: ended by a signal, which only comes from outside the sandbox.
    os.write(status_fd, struct.pack("!i", os.waitstatus_to_exitcode(status)))
    os._exit(0)


def _init(options: dict[str, Any], sock_fd: int, filter_fd: int, shell: CellShell) -> None:
    """Mount what is the sandbox's own, start the session, and collect the dead until it ends."""
    confine.die_with_parent()
    confine.fresh_mounts(options["tmp_bytes"])
    if options["loopback"]:
        confine.start_loopback()
    session = os.fork()
    if session == 0:
        _guarded(_session, options, sock_fd, filter_fd, shell)
    os.close(sock_fd)
    while True:
        pid, status = os.wait()
        if pid == session:
            os._exit(_exit_code(status))


def _session(options: dict[str, Any], sock_fd: int, filter_fd: int, shell: CellShell) -> None:
    """Become what the student's code may be, and serve the grader."""
    program = os.pread(filter_fd, os.fstat(filter_fd).st_size, 0)
    os.close(filter_fd)
    os.dup2(sock_fd, CONTROL_FD, inheritable=False)
    if sock_fd != CONTROL_FD:
        os.close(sock_fd)
    os.chdir(os.environ["HOME"])
    shell.handle_signals()
    confine.limit_resources(options)
    confine.drop_privileges(options["uid"], program)
    _silence()
    worker = Worker(socket.socket(fileno=CONTROL_FD), shell)
    worker.reply(options["nonce"], ready=True)
    worker.serve()
    os._exit(0)


def _silence() -> None:
    """From here on, what is written to the standard descriptors goes nowhere."""
    null = os.open("/dev/null", os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    os.close(null)


def _exit_code(status: int) -> int:
    """As shells count: 128 and the signal's number for a process that was ended by one."""
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code
