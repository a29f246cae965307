"""Files that are made from others are up to date."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))

import make_conventions  # noqa: E402
import make_environment  # noqa: E402


def test_environment_yml_carries_the_pins_of_requirements_txt():
    assert (ROOT / "environment.yml").read_text("utf-8") == make_environment.environment()


def test_every_pin_is_the_one_of_the_lock():
    def pins(name: str) -> dict[str, str]:
        lines = (ROOT / name).read_text("utf-8").splitlines()
        pairs = [line.split("==") for line in lines if "==" in line]
        return {package.lower().replace("_", "-"): version for package, version in pairs}

    lock, direct = pins("requirements.lock"), pins("requirements.txt")
    assert direct and all(lock[package] == version for package, version in direct.items())


def test_conventions_md_lists_the_stubs_as_they_are():
    text = (ROOT / "docs" / "conventions.md").read_text("utf-8")
    assert text == make_conventions.conventions(), "run `make docs/conventions.md`"
