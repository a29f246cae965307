"""`course doctor` on a hub: whether hub/install.sh's promises still hold. docs/operators.md."""

from __future__ import annotations

import grp
import pwd
import stat
from collections.abc import Iterator
from importlib.metadata import distributions
from pathlib import Path

from autograder.config import CourseError
from autograder.course import course_code
from autograder.doctor import Finding
from sft2rl import __version__

STAFF, STUDENTS = "sft2rl-staff", "sft2rl-students"
# What hub/sample.sh writes into the accounts that it makes.
SAMPLE = "sample user of sft2rl"
AGAIN = "Run `bash hub/install.sh` as root, which sets it."
# The proxy's and the hub's own ports, and the course's page: for this machine only.
INNER_PORTS = {8001: "the proxy's", 8010: "the course's page's", 8081: "the hub's"}
LISTENING = "0A"


def is_hub(course: Path) -> bool:
    """Whether the course folder is that of a hub, as hub/install.sh lays it out."""
    return all((course.parent / name).is_dir() for name in ("exchange", "etc", "hub", "project"))


def examine(course: Path) -> Iterator[Finding]:
    """Everything that matters where students have accounts on this machine."""
    prefix = course.parent
    yield from _modes(prefix)
    yield _students_python(prefix)
    yield _students_version(prefix)
    yield _group(STAFF, "formgrader and the course's page")
    students = _group(STUDENTS, "the hub")
    yield students
    if not (prefix / "etc" / "sample").exists():
        yield _sample_users()
    if not students.advice:
        yield _homes(grp.getgrnam(STUDENTS).gr_mem)
    yield _ports()


def _modes(prefix: Path) -> Iterator[Finding]:
    """Who may enter which folder; what one may not enter is left out."""
    exchange = prefix / "exchange"
    inside = exchange / course_code()
    wanted = {
        prefix / "course": 0o700,
        prefix / "hub": 0o700,
        prefix / "project": 0o750,
        prefix / "staff": 0o750,
        exchange: 0o1777,
        inside: 0o755,
        inside / "outbound": 0o755,
        inside / "inbound": 0o3733,
        inside / "feedback": 0o711,
    }
    owner = (prefix / "course").stat().st_uid
    for path, mode in wanted.items():
        try:
            status = path.stat()
        except OSError as error:
            yield Finding("folder", f"{path}: {error.strerror}", AGAIN)
            continue
        found = stat.S_IMODE(status.st_mode)
        advice = []
        if found != mode:
            advice.append(f"Its mode is {found:o}: run `chmod {mode:o} {path}`.")
        if path.is_relative_to(inside) and status.st_uid != owner:
            name = pwd.getpwuid(owner).pw_name
            advice.append(f"It is not the grader's: run `chown {name} {path}`.")
        yield Finding("folder", f"{path} {mode:o}", " ".join(advice))


def _students_python(prefix: Path) -> Finding:
    """Whether the students' Python holds what is hidden from them."""
    packages = prefix.glob("student/lib/python3*/site-packages/*")
    hidden = sorted(path.name for path in packages if "autograder" in path.name.lower())
    if hidden:
        advice = f"It holds {hidden[0]}: remove {prefix / 'student'}. {AGAIN}"
        return Finding("students' Python", str(prefix / "student"), advice)
    return Finding("students' Python", "holds no grader")


def _students_version(prefix: Path) -> Finding:
    """Whether the students' Python has the version of the course that grades them."""
    folders = map(str, prefix.glob("student/lib/python3*/site-packages"))
    found = [each.version for each in distributions(name="sft2rl", path=list(folders))]
    advice = "" if found == [__version__] else f"The staff's is {__version__}. {AGAIN}"
    return Finding("students' sft2rl", ", ".join(found) or "not installed", advice)


def _group(name: str, what: str) -> Finding:
    try:
        members = grp.getgrnam(name).gr_mem
    except KeyError:
        return Finding("group", f"{name} is missing", AGAIN)
    if not members:
        advice = f"Nobody can use {what}: run `usermod -aG {name} NAME` (not for LDAP groups)."
        return Finding("group", f"{name} lists nobody", advice)
    return Finding("group", f"{name}: {len(members)}")


def _sample_users() -> Finding:
    """Whether people of `make hub`, whose passwords were printed, may use a real hub, too."""
    found = []
    for name in (STAFF, STUDENTS):
        try:
            members = grp.getgrnam(name).gr_mem
            found += [each for each in members if SAMPLE in pwd.getpwnam(each).pw_gecos]
        except KeyError:
            continue
    if found:
        advice = "They are of `make hub`: run `bash hub/sample.sh /srv/sft2rl-sample --remove`."
        return Finding("sample users", ", ".join(found), advice)
    return Finding("sample users", "none")


def _homes(students: list[str]) -> Finding:
    """Whether students have homes, and cannot look into each other's."""
    open_, missing = [], []
    for student in students:
        try:
            home = Path(pwd.getpwnam(student).pw_dir)
            if home.stat().st_mode & 0o077:
                open_.append(str(home))
        except FileNotFoundError:
            missing.append(student)
        except (KeyError, OSError):
            continue
    if open_:
        advice = f"Others can look in: run `chmod 700 {' '.join(sorted(open_))}`."
        return Finding("homes", f"{len(open_)} of {len(students)} are not private", advice)
    if missing:
        found = f"missing for {', '.join(sorted(missing))}"
        return Finding("homes", found, "For each, run `mkhomedir_helper NAME 0077` as root.")
    return Finding("homes", f"{len(students)}, all private")


def _ports() -> Finding:
    """Whether the hub's inner ports are for this machine only, and all its parts run."""
    listening = listeners()
    open_ = [
        f"{port} ({whose})"
        for port, whose in INNER_PORTS.items()
        if listening.get(port, True) is False
    ]
    if open_:
        advice = "Other machines can reach it: bind it to 127.0.0.1 in hub/site.py, or close it."
        return Finding("ports", ", ".join(open_), advice)
    missing = [f"{port} ({whose})" for port, whose in INNER_PORTS.items() if port not in listening]
    if len(missing) == len(INNER_PORTS):
        return Finding("ports", "no hub runs")
    if missing:
        advice = "A part of the hub does not run: see `journalctl -u sft2rl-hub`."
        return Finding("ports", f"nothing listens at {', '.join(missing)}", advice)
    return Finding("ports", "a hub runs; its inner ports are for this machine only")


def listeners(folder: Path = Path("/proc/net")) -> dict[int, bool]:
    """TCP ports on which somebody listens, and whether only from this machine."""
    found: dict[int, bool] = {}
    for name in ("tcp", "tcp6"):
        try:
            lines = (folder / name).read_text("ascii").splitlines()[1:]
        except OSError:
            continue
        for _, local, _, state, *_ in map(str.split, lines):
            address, port = local.split(":")
            if state == LISTENING:
                number = int(port, 16)
                found[number] = found.get(number, True) and _is_loopback(address)
    return found


def _is_loopback(address: str) -> bool:
    """Of an address as /proc/net writes it: each 32 bits in the machine's (little) order."""
    if len(address) == 8:
        return address.endswith("7F")
    return address in ("0" * 24 + "01000000", "0000000000000000FFFF00000100007F")


def for_hub(course: Path) -> Iterator[Finding]:
    """The findings where there is a hub, else none."""
    try:
        if is_hub(course):
            yield from examine(course)
    except (OSError, CourseError) as error:
        yield Finding("hub", str(course.parent), f"It cannot be looked at: {error}.")
