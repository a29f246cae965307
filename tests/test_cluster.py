"""Grading on Dask workers: real processes with TLS, one of them killed half-way."""

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import dask
import pytest
from distributed import Client, Future
from eight import SOME, grade, make_class, outcome
from tiny_class import NAME, SCRIPTS, Class

from autograder import cluster
from autograder.config import CourseError


def certificate(folder: Path) -> dict[str, str]:
    """Dask's settings for a new certificate, which vouches for itself and signs for everybody."""
    folder.mkdir()
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2"
    files = ["-subj", "/CN=test", "-keyout", str(folder / "key"), "-out", str(folder / "cert")]
    subprocess.run([*command.split(), *files], check=True, capture_output=True)
    tls = {"ca-file": str(folder / "cert")}
    for role in ("client", "scheduler", "worker"):
        tls |= {f"{role}.cert": str(folder / "cert"), f"{role}.key": str(folder / "key")}
    return {f"distributed.comm.tls.{name}": value for name, value in tls.items()}


def wait_until(done: Callable[[], bool]) -> None:
    for _ in range(6000):
        if done():
            return
        time.sleep(0.01)
    pytest.fail("not within a minute")


class Cluster:
    """A scheduler, and workers that are started in a course's folder."""

    def __init__(self, folder: Path, tls: dict[str, str]) -> None:
        self.folder, self.tls = folder, tls
        names = {name: name.upper().replace(".", "__").replace("-", "_") for name in tls}
        self.env = {**os.environ, **{f"DASK_{names[name]}": value for name, value in tls.items()}}
        self.processes: list[subprocess.Popen] = []
        self.file = folder / "scheduler.json"
        self.start("scheduler", folder, "--host=tls://127.0.0.1", "--port=0")
        while not (self.file.exists() and (text := self.file.read_text()).endswith("}")):
            assert self.processes[0].poll() is None
            time.sleep(0.05)
        self.address = json.loads(text)["address"]

    def start(self, what: str, cwd: Path, *options: str) -> subprocess.Popen:
        options = ("--no-dashboard", f"--scheduler-file={self.file}", *options)
        log = (self.folder / "log").open("ab")
        process = subprocess.Popen(
            [SCRIPTS / "dask", what, *options], cwd=cwd, env=self.env, stdout=log, stderr=log
        )
        self.processes.append(process)
        return process

    def worker(self, name: str, cwd: Path) -> subprocess.Popen:
        where = f"--local-directory={self.folder / name}"
        return self.start("worker", cwd, f"--name={name}", "--nthreads=1", "--no-nanny", where)

    @contextmanager
    def workers(self, cwd: Path, *names: str) -> Iterator[list[subprocess.Popen]]:
        """Workers of one test; the next has no other."""
        started = [self.worker(name, cwd) for name in names]
        try:
            yield started
        finally:
            for process in started:
                process.kill()
                process.wait()
            with Client(self.address) as client:
                wait_until(lambda: not client.nthreads())

    def close(self) -> None:
        for process in reversed(self.processes):
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def group(tmp_path_factory: pytest.TempPathFactory) -> Class:
    return make_class(tmp_path_factory.mktemp("class") / "tiny", SOME)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, group: Class) -> Iterator[Cluster]:
    folder = tmp_path_factory.mktemp("cluster")
    tls = certificate(folder / "ours")
    with dask.config.set(tls):
        running = Cluster(folder, tls)
        yield running
        running.close()


def recorded(group: Class) -> list[str]:
    """For whom a grade was recorded, as often as it was."""
    lines = group.course.audit_file.read_text().splitlines()
    return [json.loads(line)["student"] for line in lines]


def holders(future: Future) -> list[str]:
    """The names of the workers that have what was found."""
    workers = future.client.scheduler_info()["workers"]
    return [workers[each]["name"] for each in future.client.who_has(future)[future.key]]


def test_an_answer_is_found_again_that_died_with_its_worker(
    undisturbed: dict, group: Class, running: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    finished = cluster._finished
    lost = []

    def lose(future: Future) -> None:
        first.kill()
        wait_until(lambda: future.status != "finished" or holders(future) == ["second"])
        lost.append(future.key)

    def lose_one(waiting: dict[Future, Any]) -> set[Future]:
        found = finished(waiting)
        for future in found:
            if not lost and holders(future) == ["first"]:
                lose(future)
        return found

    monkeypatch.setattr(cluster, "_finished", lose_one)
    with running.workers(group.root, "first", "second") as (first, second):
        grade(group, 1, SOME, scheduler=running.address)
        assert lost and second.poll() is None
    assert outcome(group, SOME) == {each: undisturbed[each] for each in SOME}


def test_a_killed_worker_costs_no_grade(undisturbed: dict, group: Class, running: Cluster) -> None:
    done = []

    def kill_half_way(student: str) -> None:
        done.append(student)
        if len(done) == 2:
            first.send_signal(signal.SIGKILL)

    with running.workers(group.root, "first", "second") as (first, second):
        grade(group, 1, SOME, force=True, progress=kill_half_way, scheduler=running.address)
        assert first.wait() == -signal.SIGKILL and second.poll() is None
    assert outcome(group, SOME) == {each: undisturbed[each] for each in SOME}


def test_workers_that_went_at_once_are_waited_for(
    undisturbed: dict, group: Class, running: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    connected = cluster._connected

    def and_gone(address: str) -> Client:
        client = connected(address)
        only.kill()
        wait_until(lambda: not client.nthreads())
        started.enter_context(running.workers(group.root, "later"))
        return client

    monkeypatch.setattr(cluster, "_connected", and_gone)
    with ExitStack() as started:
        (only,) = started.enter_context(running.workers(group.root, "only"))
        grade(group, 1, SOME, force=True, scheduler=running.address)
    assert outcome(group, SOME) == {each: undisturbed[each] for each in SOME}


def test_after_the_scheduler_was_killed_a_rerun_grades_the_rest(
    undisturbed: dict, running: Cluster, tmp_path: Path
) -> None:
    group = make_class(tmp_path / "tiny", SOME)
    own = Cluster(tmp_path, running.tls)
    own.worker("only", group.root)
    done = []

    def kill_the_scheduler(student: str) -> None:
        done.append(student)
        if len(done) == 2:
            own.processes[0].kill()

    with pytest.raises(CourseError, match="scheduler is gone.*What was graded is kept"):
        grade(group, 1, SOME, progress=kill_the_scheduler, scheduler=own.address)
    own.close()
    assert recorded(group) == done
    grade(group, 1, SOME)
    assert sorted(recorded(group)) == SOME  # each once
    assert outcome(group, SOME) == {each: undisturbed[each] for each in SOME}


def test_a_worker_of_another_release_is_named(group: Class, running: Cluster) -> None:
    other = running.folder / "other"
    shutil.copytree(group.root, other)
    with (other / "autograder/suites" / f"test_{NAME}.py").open("a") as suite:
        suite.write("\n# mended since\n")
    before = group.course.audit_file.read_bytes()
    with (
        running.workers(other, "yesterday"),
        pytest.raises(CourseError, match=r"yesterday has another release .*\(another suite\)"),
    ):
        grade(group, 1, SOME[:2], force=True, scheduler=running.address)
    assert group.course.audit_file.read_bytes() == before


def test_without_a_certificate_nobody_gets_in(
    group: Class, running: Cluster, tmp_path: Path
) -> None:
    with (
        dask.config.set(certificate(tmp_path / "another")),
        pytest.raises(CourseError, match="cannot be used"),
    ):
        grade(group, 1, SOME[:1], force=True, scheduler=running.address)


@pytest.mark.parametrize(
    "address", ["tcp://192.0.2.1:8786", "grader.example.edu:8786", "ws://127.0.0.1:1", "tcp://:80"]
)
def test_an_open_address_is_refused(address: str) -> None:
    with pytest.raises(CourseError, match="neither encrypted nor on this machine.*certificates"):
        cluster.refuse_open(address)


@pytest.mark.parametrize(
    "address", ["tls://grader.example.edu:8786", "127.0.0.1:1", "tcp://[::1]:1"]
)
def test_other_addresses_are_not(address: str) -> None:
    cluster.refuse_open(address)


def test_no_text_of_a_job_reaches_a_log(group: Class) -> None:
    job = cluster.Job(NAME, {}, "SECRET", b"SECRET")
    assert "SECRET" not in repr(job)
