"""`course doctor` on installations that were broken on purpose: each is found, with what to do."""

import grp
import os
import pwd
import shutil
import socket
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import pytest

import sft2rl
from autograder import doctor, doctor_hub
from autograder.config import CourseError, assignments, project_root
from autograder.course import existing_course, open_course
from autograder.doctor import Finding

TINY = Path(__file__).parent / "fixtures" / "tiny"
MODES = {
    "course": 0o700,
    "hub": 0o700,
    "project": 0o750,
    "staff": 0o750,
    "etc": 0o755,
    "exchange": 0o1777,
    "exchange/tiny": 0o755,
    "exchange/tiny/outbound": 0o755,
    "exchange/tiny/inbound": 0o3733,
    "exchange/tiny/feedback": 0o711,
}
PORTS = {8000: True, 8001: True, 8010: True, 8081: True}


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folders of an installation, two students with private homes, one of the staff."""
    shutil.copytree(TINY, tmp_path / "tiny")
    monkeypatch.chdir(tmp_path / "tiny")
    assignments.cache_clear()
    prefix = tmp_path / "srv"
    for name, mode in MODES.items():
        (prefix / name).mkdir(parents=True)
        (prefix / name).chmod(mode)
    installed(prefix, sft2rl.__version__)
    homes = {name: tmp_path / "home" / name for name in ("ada", "ben")}
    for home in homes.values():
        home.mkdir(parents=True)
        home.chmod(0o700)
    groups = {doctor_hub.STUDENTS: list(homes), doctor_hub.STAFF: ["ines"]}
    monkeypatch.setattr(grp, "getgrnam", lambda name: SimpleNamespace(gr_mem=groups[name]))
    getpwnam = {
        name: SimpleNamespace(pw_dir=str(tmp_path / "home" / name), pw_gecos=name)
        for name in (*homes, "ines")
    }
    monkeypatch.setattr(pwd, "getpwnam", getpwnam.__getitem__)
    monkeypatch.setattr(doctor_hub, "listeners", lambda: dict(PORTS))
    yield prefix
    assignments.cache_clear()


def installed(prefix: Path, version: str) -> None:
    """Leave what pip leaves of this version of the course in the students' Python."""
    made = prefix / f"student/lib/python3.11/site-packages/sft2rl-{version}.dist-info"
    made.mkdir(parents=True)
    (made / "METADATA").write_text(f"Name: sft2rl\nVersion: {version}\n")


def wrong(prefix: Path) -> list[Finding]:
    return [each for each in doctor_hub.for_hub(prefix / "course") if each.advice]


def test_an_installation_as_it_should_be(hub: Path) -> None:
    found = list(doctor_hub.for_hub(hub / "course"))
    assert [each for each in found if each.advice] == []
    assert len(found) == 9 + 7


@pytest.mark.parametrize("name", [name for name in MODES if name != "etc"])
def test_a_folder_with_another_mode(hub: Path, name: str) -> None:
    (hub / name).chmod(0o777)
    (finding,) = wrong(hub)
    assert finding.advice.endswith(f"run `chmod {MODES[name]:o} {hub / name}`.")
    (hub / name).chmod(MODES[name])
    assert wrong(hub) == []


def test_a_folder_that_is_missing(hub: Path) -> None:
    (hub / "exchange/tiny/inbound").rmdir()
    (finding,) = wrong(hub)
    assert "No such file" in finding.found and "hub/install.sh" in finding.advice


def test_an_exchange_that_is_not_the_graders(hub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stat, course = Path.stat, hub / "course"

    def of_another(path: Path, **how: bool) -> os.stat_result | SimpleNamespace:
        status = stat(path, **how)
        return SimpleNamespace(st_mode=status.st_mode, st_uid=1) if path == course else status

    monkeypatch.setattr(Path, "stat", of_another)
    name, inside = pwd.getpwuid(1).pw_name, hub / "exchange/tiny"
    assert [each.advice for each in wrong(hub)] == [
        f"It is not the grader's: run `chown {name} {path}`."
        for path in (inside, inside / "outbound", inside / "inbound", inside / "feedback")
    ]


def test_a_students_python_that_holds_the_grader(hub: Path) -> None:
    (hub / "student/lib/python3.11/site-packages/autograder").mkdir()
    (finding,) = wrong(hub)
    assert "holds autograder" in finding.advice


def test_students_with_an_old_release_of_the_course(hub: Path) -> None:
    shutil.rmtree(hub / "student/lib/python3.11/site-packages")
    (missing,) = wrong(hub)
    installed(hub, "0.0.9")
    (old,) = wrong(hub)
    assert (missing.found, old.found) == ("not installed", "0.0.9")
    assert f"The staff's is {sft2rl.__version__}." in old.advice and "install.sh" in old.advice


@pytest.mark.parametrize("name", [doctor_hub.STAFF, doctor_hub.STUDENTS])
def test_groups(hub: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    known = grp.getgrnam

    def without(group: str) -> SimpleNamespace:
        if group == name:
            raise KeyError(group)
        return known(group)

    monkeypatch.setattr(grp, "getgrnam", without)
    (finding,) = wrong(hub)
    assert finding.found == f"{name} is missing"
    monkeypatch.setattr(grp, "getgrnam", lambda group: SimpleNamespace(gr_mem=[]))
    assert f"`usermod -aG {name} NAME`" in " ".join(each.advice for each in wrong(hub))


def test_a_home_that_others_can_enter(hub: Path) -> None:
    ada = hub.parent / "home" / "ada"
    ada.chmod(0o755)
    (finding,) = wrong(hub)
    assert (finding.found, finding.advice.split("`")[1]) == (
        "1 of 2 are not private",
        f"chmod 700 {ada}",
    )


def test_a_student_without_a_home(hub: Path) -> None:
    (hub.parent / "home" / "ben").rmdir()
    (finding,) = wrong(hub)
    assert finding.found == "missing for ben" and "`mkhomedir_helper NAME" in finding.advice


def test_people_of_the_sample_hub_on_a_real_one(hub: Path) -> None:
    """Their passwords were printed."""
    pwd.getpwnam("ines").pw_gecos = "Ines,,,,sample user of sft2rl"
    (finding,) = wrong(hub)
    assert finding.found == "ines" and "--remove" in finding.advice
    (hub / "etc" / "sample").touch()
    assert wrong(hub) == []


@pytest.mark.parametrize(
    ("ports", "found"),
    [
        ({**PORTS, 8081: False}, "8081 (the hub's)"),
        ({8001: True, 8081: True}, "nothing listens at 8010 (the course's page's)"),
    ],
)
def test_ports(
    hub: Path, monkeypatch: pytest.MonkeyPatch, ports: dict[int, bool], found: str
) -> None:
    monkeypatch.setattr(doctor_hub, "listeners", lambda: ports)
    (finding,) = wrong(hub)
    assert finding.found == found


def test_listeners_are_read_from_the_kernel() -> None:
    with socket.create_server(("127.0.0.1", 0)) as inner, socket.create_server(("", 0)) as outer:
        found = doctor_hub.listeners()
        assert found[inner.getsockname()[1]] is True
        assert found[outer.getsockname()[1]] is False
    assert doctor_hub.listeners(Path("/nowhere")) == {}


def test_an_empty_course_folder_is_one_to_begin_with(tmp_path: Path) -> None:
    assert not doctor._course_folder(tmp_path).advice
    (tmp_path / "gradebook.db").touch()
    assert "Restore it from a backup" in doctor._course_folder(tmp_path).advice


def test_the_project_is_found_from_a_folder_that_may_not_be_entered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root is in a clone of its own, and runs `course` under the grader's account."""
    stat = os.stat

    def denied(path: object, *more: object, **how: object) -> os.stat_result:
        if Path(str(path)) == tmp_path / "course.toml":
            raise PermissionError(13, "Permission denied")
        return stat(path, *more, **how)  # type: ignore[arg-type]

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "stat", denied)
    assert (project_root() / "course.toml").is_file()


def test_a_folder_without_a_hub(tmp_path: Path) -> None:
    assert list(doctor_hub.for_hub(tmp_path)) == []


def test_pins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "course.toml").touch()
    monkeypatch.chdir(tmp_path)
    lock = tmp_path / "requirements.lock"
    lock.write_text("# a lock\npytest==0.0.1\nno-such-package==1\n")
    finding = doctor._pins()
    assert "1 of 2 differ: pytest" in finding.found and "make setup" in finding.advice
    lock.write_text(f"pytest=={pytest.__version__}\n")
    assert doctor._pins().advice == ""


def test_disk_and_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert doctor._disk(tmp_path).advice == "" and doctor._clock(tmp_path).advice == ""
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=2**30))
    assert "Less than 2 GB" in doctor._disk(tmp_path).advice
    now = doctor.time.time()
    monkeypatch.setattr(doctor.time, "time", lambda: now - 3600)
    assert "NTP" in doctor._clock(tmp_path).advice


def test_a_gradebook_that_cannot_be_read(tmp_path: Path) -> None:
    config = tmp_path / "nbgrader_config.py"
    config.write_text(f"c = get_config()\nc.CourseDirectory.root = {str(tmp_path)!r}\n")
    assert doctor._gradebook(tmp_path).advice == ""
    (tmp_path / "gradebook.db").write_text("no database at all, but long enough to be looked at")
    assert doctor._gradebook(tmp_path).advice
    with config.open("a") as file:
        file.write("c.CourseDirectory.db_url = 'postgresql://x:y@127.0.0.1:1/z'\n")
    finding = doctor._gradebook(tmp_path)
    assert "db_url" in finding.advice and "y@" not in finding.found


def test_a_course_folder_that_is_the_hubs(tmp_path: Path) -> None:
    open_course(tmp_path / "course")
    assert f"The class is in {tmp_path / 'course'}" in doctor._course_folder(tmp_path).advice
    assert doctor._course_folder(tmp_path / "course").advice == ""


def test_root_is_no_grader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What root makes in the grader's folder, the course's page could not change."""
    root = tmp_path / "course"
    open_course(root)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    for name, refused in (("grader", True), ("root", False)):
        owner = SimpleNamespace(pw_name=name)
        monkeypatch.setattr(pwd, "getpwuid", lambda uid, owner=owner: owner)
        assert bool(doctor._course_folder(root).advice) is refused
        for use in (open_course, existing_course):
            with (
                pytest.raises(CourseError, match="`runuser -u grader ")
                if refused
                else nullcontext()
            ):
                use(root)
