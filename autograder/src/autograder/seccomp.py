"""The system calls that a sandboxed process may not make."""

from __future__ import annotations

import errno
import os

DENIED = """
    ptrace process_vm_readv process_vm_writev process_madvise pidfd_getfd kcmp unshare setns
    mount umount2 pivot_root chroot move_mount open_tree fsopen fsconfig fsmount fspick
    mount_setattr name_to_handle_at open_by_handle_at bpf perf_event_open userfaultfd
    lookup_dcookie fanotify_init keyctl add_key request_key kexec_load kexec_file_load
    init_module finit_module delete_module io_uring_setup io_uring_enter io_uring_register
    swapon swapoff reboot acct quotactl syslog nfsservctl settimeofday clock_settime
    clock_adjtime adjtimex sethostname setdomainname iopl ioperm modify_ldt vhangup
    personality
""".split()

# clone() with any of these would make a namespace.
CLONE_NEW = (0x00020000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000)
TIOCSTI, TIOCLINUX = 0x5412, 0x541C
AF_UNIX, AF_INET, AF_INET6, AF_NETLINK = 1, 2, 10, 16
NETLINK_ROUTE = 0


def filter_program(loopback: bool) -> int:
    """A memory file with the BPF program for `bwrap --seccomp`, open for reading at its start.

    Args:
        loopback: whether internet sockets may be made (on the sandbox's private loopback), and
            the netlink socket with which libraries list the network interfaces.
    """
    import pyseccomp as seccomp

    rules = seccomp.SyscallFilter(seccomp.ALLOW)
    denied = seccomp.ERRNO(errno.EPERM)
    for name in DENIED:
        try:
            rules.add_rule(denied, name)
        except ValueError:
            continue  # this architecture does not have it
    for flag in CLONE_NEW:
        rules.add_rule(denied, "clone", seccomp.Arg(0, seccomp.MASKED_EQ, flag, flag))
    rules.add_rule(
        seccomp.ERRNO(errno.ENOSYS), "clone3"
    )  # its flags cannot be seen; libc falls back
    for request in (TIOCSTI, TIOCLINUX):
        rules.add_rule(denied, "ioctl", seccomp.Arg(1, seccomp.MASKED_EQ, 0xFFFFFFFF, request))
    families = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK} if loopback else {AF_UNIX}
    _allow_families(rules, seccomp, families)
    fd = os.memfd_create("seccomp")
    with os.fdopen(os.dup(fd), "wb") as file:
        rules.export_bpf(file)
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


def _allow_families(rules, seccomp, allowed: set[int]) -> None:  # type: ignore[no-untyped-def]
    """Deny socket() for every address family but these, and of netlink all but routing."""
    denied = seccomp.ERRNO(errno.EAFNOSUPPORT)
    for family in set(range(46)) - allowed:
        rules.add_rule(denied, "socket", seccomp.Arg(0, seccomp.EQ, family))
    rules.add_rule(denied, "socket", seccomp.Arg(0, seccomp.GE, 46))
    if AF_NETLINK in allowed:
        other = seccomp.Arg(2, seccomp.NE, NETLINK_ROUTE)
        rules.add_rule(denied, "socket", seccomp.Arg(0, seccomp.EQ, AF_NETLINK), other)
