"""The hub's files, without running it: images, chart values, who gets which server.

`make e2e` runs the hub of one server. Nothing here was run on a Kubernetes cluster.
"""

import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path, PurePosixPath
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from traitlets.config import Config

from autograder.nbgrader_parts.collect import uid_of

ROOT = Path(__file__).resolve().parent.parent
KUBERNETES = ROOT / "hub" / "kubernetes"
HIDDEN = ("solutions", "autograder", "tests", "assignments", "build", "course", "demo", ".git")


def context(name: str) -> list[PurePosixPath]:
    """The files that `docker build` sends for an image, by its list of what is not ignored."""
    lines = (KUBERNETES / f"{name}.Dockerfile.dockerignore").read_text().split()
    assert lines[0] == "*"
    kept = [PurePosixPath(line[1:]) for line in lines if line.startswith("!")]
    tracked = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.splitlines()  # fmt: skip
    files = [PurePosixPath(line) for line in tracked]
    return [path for path in files if any(path.is_relative_to(each) for each in kept)]


def copied(name: str) -> list[PurePosixPath]:
    """What the Dockerfile copies from its context."""
    found = []
    for line in (KUBERNETES / f"{name}.Dockerfile").read_text().splitlines():
        if line.startswith("COPY "):
            found += map(PurePosixPath, line.split()[1:-1])
    return found


def test_the_students_image_holds_no_solution_and_no_hidden_test() -> None:
    files = context("student")
    assert PurePosixPath("shared/sft2rl/checks/tokenizer.py") in files
    for path in files:
        assert path.parts[0] not in HIDDEN, path
        assert not path.name.startswith("test_"), path
        if path.suffix in (".py", ".ipynb", ".json", ".txt", ".md", ".toml"):
            text = (ROOT / path).read_text("utf-8")
            assert "BEGIN SOLUTION" not in text and "autograder.suite" not in text, path
    solutions = {path.read_bytes() for path in ROOT.glob("solutions/*/*.py")}
    assert not solutions & {(ROOT / path).read_bytes() for path in files}


def test_the_check_of_the_context_can_fail() -> None:
    """The grader's image does hold them, by the same rule."""
    files = context("grader")
    assert PurePosixPath("solutions/01_tokenizer/tokenizer.py") in files
    assert any("BEGIN SOLUTION" in (ROOT / path).read_text("utf-8", "ignore") for path in files)


@pytest.mark.parametrize("name", ["student", "grader"])
def test_an_image_copies_what_its_context_has(name: str) -> None:
    files = context(name)
    for source in copied(name):
        assert any(path.is_relative_to(source) for path in files), source


@pytest.mark.parametrize("name", ["student", "grader"])
def test_a_dockerfile_is_well_formed(name: str) -> None:
    """What linters ask and matters here: pinned base, shell options, no root, no cache."""
    text = (KUBERNETES / f"{name}.Dockerfile").read_text()
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    base = lines[0].split()
    assert base[0] == "FROM" and ":" in base[1] and not base[1].endswith(":latest")
    assert 'SHELL ["/bin/bash", "-o", "pipefail", "-c"]' in lines
    assert "ADD " not in text and "sudo" not in text and "PIP_NO_CACHE_DIR=1" in text
    assert "--no-install-recommends" in text and "rm -rf /var/lib/apt/lists/*" in text
    users = [line.split()[1] for line in lines if line.startswith("USER ")]
    assert users[-1] == "1000"
    assert lines[-1].startswith("CMD [")


def paths(value: Any, prefix: str = "") -> list[str]:
    if not isinstance(value, dict) or not value:
        return [prefix]
    return [
        path for key, each in value.items() for path in paths(each, f"{prefix}.{key}".strip("."))
    ]


@pytest.mark.parametrize("name", ["values.yaml", "site.example.yaml"])
def test_the_values_are_keys_of_the_pinned_chart(name: str) -> None:
    """chart-4.4.0-keys.txt has the keys of the chart's schema; `*`: keys of one's own."""
    known = (KUBERNETES / "chart-4.4.0-keys.txt").read_text().split()
    free = tuple(key.removesuffix("*") for key in known if key.endswith("*"))
    values = yaml.safe_load((KUBERNETES / name).read_text())
    assert "--version 4.4.0" in (KUBERNETES / "values.yaml").read_text()
    for path in paths(values):
        assert path in known or path.startswith(free), path
    assert "singleuser.imagePull" not in known


def test_the_manifests_are_what_the_values_name() -> None:
    values = yaml.safe_load((KUBERNETES / "values.yaml").read_text())
    manifests = list(yaml.safe_load_all((KUBERNETES / "storage.yaml").read_text()))
    claims = {each["metadata"]["name"] for each in manifests if "Claim" in each["kind"]}
    named = {
        each["persistentVolumeClaim"]["claimName"]
        for each in values["singleuser"]["storage"]["extraVolumes"]
    }
    assert named == {"sft2rl-exchange"} and claims == {"sft2rl-exchange", "sft2rl-course"}


@pytest.fixture
def config() -> SimpleNamespace:
    """hub_config.py, read as the hub reads it."""
    c = Config()
    c.KubeSpawner.environment = {"STAFF_IMAGE": "grader:1"}
    names: dict[str, Any] = {"get_config": lambda: c}
    exec((KUBERNETES / "hub_config.py").read_text(), names)
    return SimpleNamespace(c=c)


def spawner(name: str, group: str) -> SimpleNamespace:
    user = SimpleNamespace(name=name, groups=[SimpleNamespace(name=group)])
    exchange = {"name": "exchange", "mountPath": "/srv/sft2rl/exchange"}
    return SimpleNamespace(
        user=user,
        environment={"STAFF_IMAGE": "grader:1"},
        volumes=[{"name": "exchange"}],
        volume_mounts=[exchange],
        extra_labels={},
    )


def test_students_get_no_profile_with_the_course_in_it(config: SimpleNamespace) -> None:
    for group in ("nbgrader-sft2rl", "formgrade-other", ""):
        profiles = config.c.KubeSpawner.profile_list(spawner("ada", group))
        assert [each["slug"] for each in profiles] == ["cpu", "gpu"]
        text = json.dumps(profiles)
        assert "grader:1" not in text and "sft2rl-course" not in text and "gradebook" not in text
    assert profiles[1]["kubespawner_override"]["extra_resource_limits"] == {"nvidia.com/gpu": "1"}


def test_staff_get_the_course_and_a_sandbox(config: SimpleNamespace) -> None:
    profiles = config.c.KubeSpawner.profile_list(spawner("ines", "formgrade-sft2rl"))
    assert [each["slug"] for each in profiles] == ["grading", "grading-gpu", "cpu"]
    grading = profiles[0]["kubespawner_override"]
    assert grading["image"] == "grader:1" and grading["uid"] == 1000
    assert [mount["name"] for mount in grading["volume_mounts"]] == ["exchange", "course"]
    assert grading["extra_container_config"]["securityContext"]["procMount"] == "Unmasked"
    assert grading["extra_pod_config"] == {"hostUsers": False}
    assert profiles[1]["kubespawner_override"]["extra_resource_limits"] == {"nvidia.com/gpu": "1"}


def test_hub_and_collect_agree_on_a_students_unix_id(config: SimpleNamespace) -> None:
    for name in ("nobody-by-this-name", "zoë@example.edu"):
        uid = config.c.KubeSpawner.uid(spawner(name, ""))
        assert uid == uid_of(name) and 1_000_000 <= uid < 2**31
    names = [hashlib.sha256(bytes([i])).hexdigest() for i in range(250)]
    assert len({uid_of(name) for name in names}) == len(names)


@pytest.mark.parametrize("role", ["student", "ta", "course"])
def test_the_settings_of_each_role(role: str) -> None:
    folder = ROOT / "hub" / "etc" / role
    server = json.loads((folder / "jupyter_server_config.json").read_text())
    enabled = {
        k.split(".")[-1] for k, on in server["ServerApp"]["jpserver_extensions"].items() if on
    }
    wanted = {
        "student": {"assignment_list", "validate_assignment"},
        "ta": {"assignment_list", "validate_assignment", "course_list"},
        "course": {"formgrader", "page"},
    }
    assert enabled == wanted[role]
    assert server["KernelManager"]["transport"] == "ipc"
    # A login shell would lose the environment's PATH.
    assert server["ServerApp"]["terminado_settings"] == {"shell_command": ["/bin/bash"]}
    page = json.loads((folder / "labconfig" / "page_config.json").read_text())
    assert ("@jupyter/nbgrader:formgrader" in page["disabledExtensions"]) == (role != "course")


@pytest.mark.parametrize("prefix", ["--help", "srv/sft2rl", "/", "/srv/a b"])
def test_the_hub_is_installed_under_a_whole_path_only(prefix: str) -> None:
    status, said = install(prefix)
    assert status == 2 and "usage: bash hub/install.sh [PREFIX]" in said


def test_a_folder_that_holds_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    before = tmp_path.stat().st_mode
    status, said = install(str(tmp_path))
    assert status == 2 and f"{tmp_path} holds something that is no hub" in said
    assert tmp_path.stat().st_mode == before and len(list(tmp_path.iterdir())) == 1


def install(prefix: str) -> tuple[int, str]:
    command = ["bash", str(ROOT / "hub/install.sh"), prefix]
    done = subprocess.run(command, capture_output=True, text=True, timeout=10)
    return done.returncode, done.stderr


def test_only_a_sample_hub_is_removed(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    command = ["bash", str(ROOT / "hub/sample.sh"), str(tmp_path), "--remove"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=10)
    assert done.returncode == 2 and "There is no sample hub in" in done.stderr
    assert (tmp_path / "thesis.tex").exists()


def test_a_hub_that_is_not_there_is_not_started(tmp_path: Path) -> None:
    command = ["bash", str(ROOT / "hub/start.sh"), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=10)
    assert done.returncode == 2
    assert ("There is no hub in" if os.geteuid() == 0 else "run this as root") in done.stderr


@pytest.fixture
def single_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A function that reads hub/jupyterhub_config.py as an installed hub does, with a site.py."""
    spawner = SimpleNamespace(LocalProcessSpawner=object, SpawnException=Exception)
    for name, module in (("auth", SimpleNamespace(PAMAuthenticator=object)), ("spawner", spawner)):
        monkeypatch.setitem(sys.modules, f"jupyterhub.{name}", module)
    for folder in ("project/hub", "hub"):
        (tmp_path / folder).mkdir(parents=True)
    shutil.copy(ROOT / "course.toml", tmp_path / "project")
    monkeypatch.delenv("HUB_URL", raising=False)
    # A hub may run on the machine that tests.
    (page,) = free_ports(1)
    text = (ROOT / "hub/jupyterhub_config.py").read_text().replace(":8010", f":{page}")

    def read(site: str = "") -> Config:
        c = Config()
        (tmp_path / "hub/site.py").write_text(site)
        names: dict[str, Any] = {
            "__file__": str(tmp_path / "project/hub/jupyterhub_config.py"),
            "get_config": lambda: c,
            "load_subconfig": lambda path: exec(Path(path).read_text(), {"c": c}),
        }
        exec(text, names)
        return c

    return read


def free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        opened = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [each.getsockname()[1] for each in opened]


def test_a_hub_does_not_start_where_another_program_listens(single_server: Any) -> None:
    """JupyterHub would find out after it has ended what it takes for its own proxy."""
    public, hub, api, other = free_ports(4)
    site = f"c.JupyterHub.bind_url = 'http://127.0.0.1:{public}'\nc.JupyterHub.hub_port = {hub}\n"
    site += f"c.ConfigurableHTTPProxy.api_url = 'http://127.0.0.1:{api}'\n"
    assert single_server(site).JupyterHub.hub_port == hub
    for port, setting in ((public, "bind_url"), (hub, "hub_port"), (api, "api_url")):
        with (
            socket.create_server(("127.0.0.1", port)),
            pytest.raises(SystemExit, match=rf"listens at http://127.0.0.1:{port}\. .*\.{setting}"),
        ):
            single_server(site)
    with socket.create_server(("127.0.0.1", public)):
        single_server(site.replace(str(public), str(other)))
