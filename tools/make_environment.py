"""Writes environment.yml from requirements.txt: the same pins, for conda users."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HEAD = """\
# Made by `make environment.yml` from requirements.txt; do not edit.
# The pip section is compared with requirements.txt by a test. It is not solved in CI.
name: sft2rl
channels:
  - conda-forge
dependencies:
  - python=3.11
  - pip
  - pip:
"""


def environment() -> str:
    """The text of environment.yml."""
    lines = (ROOT / "requirements.txt").read_text("utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    local = ["-e ./shared", "-e ./autograder"]
    return HEAD + "".join(f"      - {pin}\n" for pin in pins + local)


if __name__ == "__main__":
    (ROOT / "environment.yml").write_text(environment(), "utf-8")
