"""Whatever lies in a submitted folder: a definite answer, quickly, and never an exception."""

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from autograder import reader
from autograder.reader import HandedIn, read_folder

NAME = "tiny.ipynb"


def notebook(*sources: str, **metadata: Any) -> dict[str, Any]:
    cells = [{"cell_type": "code", "source": each, "metadata": {}} for each in sources]
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": metadata, "cells": cells}


def read(folder: Path) -> HandedIn:
    return read_folder(folder, NAME, "00_tiny", {"double"})


def read_bytes(folder: Path, content: bytes) -> HandedIn:
    (folder / NAME).write_bytes(content)
    return read(folder)


def test_a_notebook_gives_its_sources(tmp_path: Path) -> None:
    cell = {
        "cell_type": "code",
        "id": "a",
        "source": ["x = 1\n", "y = 2"],
        "metadata": {"nbgrader": {"grade_id": "double", "points": 400}},
    }
    content = {"nbformat": 4, "cells": [cell], "metadata": {"sft2rl": {"release": "abc"}}}
    found = read_bytes(tmp_path, json.dumps(content).encode())
    assert found.problem == ""
    assert found.release == "abc"
    assert found.cells == (reader.StudentCell("code", "x = 1\ny = 2", "double", "a"),)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_line_ends_and_byte_order_marks_are_accepted(tmp_path: Path, encoding: str) -> None:
    text = json.dumps(notebook("naïve = 'é'\r\nx = 1\r"), indent=1).replace("\n", "\r\n")
    found = read_bytes(tmp_path, text.encode(encoding))
    assert found.cells[0].source == "naïve = 'é'\nx = 1\n"


def test_an_old_minor_version_is_accepted(tmp_path: Path) -> None:
    content = {**notebook("x = 1"), "nbformat_minor": 0}
    assert read_bytes(tmp_path, json.dumps(content).encode()).cells[0].source == "x = 1"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the file is empty"),
        (b" \n", "the file is empty"),
        (b"hello", "it is not JSON"),
        (b'{"cells": [', "it is not JSON"),
        (json.dumps(notebook("x")).encode("utf-16"), "it is not UTF-8 text"),
        (b"\xff\xfe\x00", "it is not UTF-8 text"),
        (b"[" * 100_000, "it is nested too deeply"),
        (b'{"a":' * 100_000, "it is nested too deeply"),
        (b"[" * 1_000_000, "it has too many parts"),
        (b"[" + b"1," * 6_000_000 + b"1]", "it has too many parts"),
        (b"1" * 5000, "it is not JSON"),
        (b"null", "it is not a Jupyter notebook of format 4"),
        (b'{"nbformat": 4}', "it is not a Jupyter notebook of format 4"),
        (b'{"nbformat": 99, "cells": []}', "it is not a Jupyter notebook of format 4"),
        (b'{"nbformat": 3, "worksheets": []}', "it is not a Jupyter notebook of format 4"),
        (json.dumps(notebook(*["x"] * 2001)).encode(), "it has more than 2000 cells"),
    ],
)
def test_what_is_no_notebook_is_named(tmp_path: Path, content: bytes, reason: str) -> None:
    start = time.process_time()
    assert read_bytes(tmp_path, content).problem == f"unreadable notebook: {reason}"
    assert time.process_time() - start < 5


@pytest.mark.parametrize(
    "cell",
    [
        "text",
        None,
        {},
        {"cell_type": ["code"], "source": {"a": 1}},
        {"cell_type": "code", "source": [1, 2], "metadata": []},
        {"cell_type": "code", "source": "\ud800", "metadata": {"nbgrader": 3}},
        {"cell_type": "code", "source": "x", "metadata": {"nbgrader": {"grade_id": ["double"]}}},
    ],
)
def test_odd_cells_never_raise(tmp_path: Path, cell: Any) -> None:
    content = {"nbformat": 4, "cells": [cell], "metadata": {"sft2rl": "x"}}
    found = read_bytes(tmp_path, json.dumps(content).encode())
    assert found.problem == ""
    for each in found.cells:
        assert isinstance(each.source.encode("utf-8"), bytes)


def test_a_link_is_refused(tmp_path: Path) -> None:
    target = tmp_path / "other.json"
    target.write_text(json.dumps(notebook("secret")))
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / NAME).symlink_to(target)
    assert read(folder).problem == "unreadable notebook: it is a link, not a file"


def test_a_linked_folder_is_refused(tmp_path: Path) -> None:
    real = tmp_path / "real"
    real.mkdir()
    (real / NAME).write_text(json.dumps(notebook("x")))
    (tmp_path / "in").symlink_to(real)
    assert "its folder is a link" in read(tmp_path / "in").problem


def test_a_pipe_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / NAME)
    assert read(tmp_path).problem == "unreadable notebook: it is not a regular file"


def test_a_folder_in_the_place_of_the_file(tmp_path: Path) -> None:
    (tmp_path / NAME).mkdir()
    assert read(tmp_path).problem.startswith("unreadable notebook: ")


def test_a_large_file_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / NAME).open("wb") as file:
        file.truncate(500 * 2**20)
    assert read(tmp_path).problem == "unreadable notebook: it is larger than 64 MB"


@pytest.mark.parametrize("made", [False, True])
def test_nothing_handed_in_is_missing(tmp_path: Path, made: bool) -> None:
    folder = tmp_path / "in"
    if made:
        folder.mkdir()
        (folder / "other.ipynb").write_text(json.dumps(notebook("x")))
    assert read(folder).problem == "missing"


def ours(source: str) -> str:
    content = notebook(source)
    content["cells"][0]["metadata"] = {"nbgrader": {"grade_id": "double"}}
    return json.dumps(content)


def test_a_renamed_notebook_is_found(tmp_path: Path) -> None:
    (tmp_path / "homework\x1b[2J (1).ipynb").write_text(ours("x = 1"))
    (tmp_path / "else.ipynb").write_text(json.dumps(notebook("y")))
    found = read(tmp_path)
    assert found.cells[0].source == "x = 1"
    (incident,) = found.incidents
    assert incident.code == "renamed"
    assert incident.detail.isprintable()


def test_two_renamed_notebooks_are_not_guessed_at(tmp_path: Path) -> None:
    (tmp_path / "a.ipynb").write_text(ours("x = 1"))
    (tmp_path / "b.ipynb").write_text(json.dumps(notebook("y", sft2rl={"assignment": "00_tiny"})))
    found = read(tmp_path)
    assert found.problem == "missing"
    assert [each.code for each in found.incidents] == ["other-notebooks"]


def test_another_notebook_beside_is_reported(tmp_path: Path) -> None:
    (tmp_path / NAME).write_text(ours("x = 1"))
    (tmp_path / "copy.ipynb").write_text(ours("x = 2"))
    found = read(tmp_path)
    assert found.cells[0].source == "x = 1"
    assert [each.code for each in found.incidents] == ["other-notebooks"]
