"""What keeps the notebooks from running on macOS and Windows, as far as Linux can tell.

Nothing here was run on those systems. Python's standard library differs there in modules that are
missing and in the encoding of files that are opened without one; both are imitated.
"""

import ast
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted(ROOT.glob("assignments/*/*.ipynb"))
# A tool for several training runs at once on a server; no notebook imports it.
SERVER_ONLY = ["sweep"]
MODULES = [
    path for path in sorted(ROOT.glob("shared/sft2rl/**/*.py")) if path.stem not in SERVER_ONLY
]
READS_OR_WRITES_TEXT = {"open": 1, "read_text": 0, "write_text": 1}


def calls_without_encoding(source: str) -> list[int]:
    """Lines on which a text file is opened in whatever encoding the system has."""
    found = []
    for call in ast.walk(ast.parse(source)):
        if not isinstance(call, ast.Call):
            continue
        name = getattr(call.func, "attr", getattr(call.func, "id", ""))
        of = call.func.value if isinstance(call.func, ast.Attribute) else None
        if name not in READS_OR_WRITES_TEXT or getattr(of, "id", "") in ("tarfile", "os", "Image"):
            continue
        modes = [each.value for each in call.args if isinstance(each, ast.Constant)]
        binary = name == "open" and any("b" in str(mode) for mode in modes)
        named = any(keyword.arg == "encoding" for keyword in call.keywords)
        if not (binary or named or len(call.args) > READS_OR_WRITES_TEXT[name]):
            found.append(call.lineno)
    return found


def code_cells(path: Path) -> list[str]:
    return [c.source for c in nbformat.read(path, as_version=4).cells if c.cell_type == "code"]


def test_files_are_opened_in_utf8() -> None:
    assert calls_without_encoding("open(p)\np.read_text()\np.write_text('x')") == [1, 2, 3]
    for path in MODULES:
        assert calls_without_encoding(path.read_text("utf-8")) == [], path
    for path in NOTEBOOKS:
        for source in code_cells(path):
            assert calls_without_encoding(source) == [], f"{path}: {source}"


def test_notebooks_use_no_shell() -> None:
    """`!ls` and `%%bash` are not the same everywhere."""
    for path in NOTEBOOKS:
        for source in code_cells(path):
            assert not any(line.lstrip().startswith(("!", "%")) for line in source.split("\n"))


def test_names_of_files_are_allowed_everywhere() -> None:
    tracked = subprocess.run(
        ["git", "ls-files", "shared", "assignments"], cwd=ROOT, capture_output=True, text=True
    ).stdout.splitlines()
    assert len(tracked) > 50
    assert len({path.lower() for path in tracked}) == len(tracked)
    for path in tracked:
        assert path.isascii() and not set('<>:"|?*\\ ') & set(path) and len(path) < 120, path


PROBE = """
import importlib, locale, os, sys
import matplotlib.pyplot
names = sys.argv[1].split()
for name in names:  # once as it is here, so that other libraries have loaded all they need
    importlib.import_module(name)
for name in [each for each in sys.modules if each.split(".")[0] == "sft2rl"]:
    del sys.modules[name]
for name in ("fcntl", "pwd", "grp", "resource", "termios", "pty"):
    sys.modules[name] = None
for name in ("fork", "getuid", "geteuid", "killpg", "setsid", "mkfifo", "uname"):
    delattr(os, name)
assert locale.getpreferredencoding(False) == "ANSI_X3.4-1968"
for name in names:
    importlib.import_module(name)
sys.platform = "win32"
for path in sys.argv[2:]:
    exec(compile(open(path, encoding="utf-8").read(), path, "exec"), {"__name__": path})
print("imported")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="imitates what other systems lack")
def test_notebooks_begin_where_posix_modules_and_utf8_are_missing(tmp_path: Path) -> None:
    setups = []
    for path in NOTEBOOKS:
        setup = next(
            cell.source
            for cell in nbformat.read(path, as_version=4).cells
            if cell.metadata.get("nbgrader", {}).get("grade_id") == "setup"
        )
        setups.append(tmp_path / f"{path.stem}.py")
        setups[-1].write_text(setup, "utf-8")
    package = ROOT / "shared"
    names = [
        ".".join(path.relative_to(package).with_suffix("").parts).removesuffix(".__init__")
        for path in MODULES
    ]
    env = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    # A kernel prints UTF-8 everywhere.
    env |= {"PYTHONPATH": str(package), "MPLBACKEND": "agg", "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(
        [sys.executable, "-c", PROBE, " ".join(names), *map(str, setups)],
        env=env, cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert done.stdout.endswith("imported\n"), done.stderr[-3000:]
