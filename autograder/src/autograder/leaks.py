"""What must not be in a released notebook: solutions, answers, hidden tests, outputs, paths."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from nbformat import NotebookNode

from autograder import cells
from autograder.config import Assignment

CODE_RUN = 20  # so many equal tokens in a row are a leak (all of them, where a solution has fewer)
TEST_RUN = 30  # the same for a hidden test, which shares calls and signatures with the notebook
SHORTEST = 6  # shorter solutions, like `return a + b`, cannot be told from ordinary code
PROSE_RUN = 8  # so many equal words in a row are a leak of a model answer
TOKEN = re.compile(r"\d+(?:\.\d+)?(?:e-?\d+)?|\w+|[^\w\s]")
WORD = re.compile(r"[^\W\d_]{2,}")
FORMULA = re.compile(r"\$\$.*?\$\$|\$[^$\n]*\$|`[^`\n]*`", re.DOTALL)
ABSOLUTE_PATH = re.compile(
    r"(?<![\w.:/])/(?:home|root|Users|tmp|work|mnt|opt|srv)/\w+|\b[A-Z]:\\\w"
)


@dataclass(frozen=True)
class Secret:
    """A text that may not be released, as tokens; `prose` counts words outside formulas only."""

    what: str
    tokens: tuple[str, ...]
    run: int
    prose: bool = False

    @cached_property
    def size(self) -> int:
        return min(self.run, len(self.tokens))

    @cached_property
    def windows(self) -> frozenset[tuple[str, ...]]:
        return frozenset(_windows(self.tokens, self.size))


def _windows(tokens: tuple[str, ...], size: int) -> Iterator[tuple[str, ...]]:
    """All runs of `size` tokens, in order."""
    return (tokens[start : start + size] for start in range(len(tokens) - size + 1))


def leaks(assignment: Assignment, source: NotebookNode, released: str) -> list[str]:
    """Every leak in the text of a released notebook, as `file:line: what`."""
    notebook = json.loads(released)
    found = []
    secrets = list(_secrets(assignment, source))
    for cell in notebook["cells"]:
        text = "".join(cell["source"])
        for line, what in [*_leaks_of_text(text, secrets), *_paths(text)]:
            found.append((_line_in_file(released, cell["id"], line), what))
        if cell.get("outputs") or cell.get("execution_count"):
            found.append(
                (_line_in_file(released, cell["id"], ""), "an output was left in the cell")
            )
    where = assignment.released.relative_to(assignment.root)
    return [f"{where}:{line}: {what}" for line, what in sorted(set(found))] + [
        problem
        for name in (assignment.notebook, f"widgets_{assignment.notebook}")
        for problem in _leaks_of_shared(assignment, name, secrets)
    ]


def _leaks_of_shared(assignment: Assignment, name: str, secrets: list[Secret]) -> Iterator[str]:
    """The visible checks and widgets of this notebook, which ship to students too."""
    folder = assignment.root / "shared" / "sft2rl"
    path = folder / ("checks" if name == assignment.notebook else "") / f"{name}.py"
    if not path.is_file():
        return
    text = path.read_text("utf-8")
    for line, what in _leaks_of_text(text, secrets):
        number = text.splitlines().index(line) + 1
        yield f"{path.relative_to(assignment.root)}:{number}: {what}"


def _secrets(assignment: Assignment, source: NotebookNode) -> Iterator[Secret]:
    for cell in source.cells:
        name = cells.grade_id(cell)
        if cells.is_written(cell):
            words = tuple(word for word, _ in _words(cell.source))
            yield Secret(f"the model answer or rubric of {name}", words, PROSE_RUN, prose=True)
        elif cells.is_solution(cell):
            for region in solution_regions(cell.source):
                tokens = tuple(TOKEN.findall(_without_comments(region)))
                if len(tokens) >= SHORTEST:
                    yield Secret(f"the solution of {name}", tokens, CODE_RUN)
    for file in assignment.suite_files:
        yield from _hidden_tests(file.read_text("utf-8"))


def _hidden_tests(suite: str) -> Iterator[Secret]:
    lines = suite.encode().splitlines(keepends=True)
    for node in ast.parse(suite).body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            body = "\n".join(_segment(lines, each) for each in node.body)
            yield Secret(f"the hidden {node.name}", tuple(TOKEN.findall(body)), TEST_RUN)


def _segment(lines: list[bytes], node: ast.stmt) -> str:
    """As `ast.get_source_segment`, which would split the whole source again for every node."""
    rows = lines[node.lineno - 1 : node.end_lineno]
    rows[-1] = rows[-1][: node.end_col_offset]
    rows[0] = rows[0][node.col_offset :]
    return b"".join(rows).decode()


def solution_regions(source: str) -> Iterator[str]:
    """The text between the solution markers of a cell."""
    for match in re.finditer(r"### BEGIN SOLUTION\n(.*?)### END SOLUTION", source, re.DOTALL):
        yield match.group(1)


def _without_comments(code: str) -> str:
    return re.sub(r"(?m)#.*$", "", code)


def _leaks_of_text(text: str, secrets: list[Secret]) -> Iterator[tuple[str, str]]:
    """The first line and the name of each secret in a text."""
    readings = {True: _words(text), False: _tokens(text)}
    places: dict[tuple[bool, int], dict[tuple[str, ...], int]] = {}
    for secret in secrets:
        reading, size = readings[secret.prose], secret.size
        if not size:
            continue
        if (secret.prose, size) not in places:
            runs = list(enumerate(_windows(tuple(token for token, _ in reading), size)))
            places[secret.prose, size] = {run: start for start, run in reversed(runs)}
        first = places[secret.prose, size]
        if found := first.keys() & secret.windows:
            line = text.splitlines()[reading[min(first[run] for run in found)][1]]
            yield line, f"{secret.what}: {line.strip()}"


def _tokens(text: str) -> list[tuple[str, int]]:
    """The tokens of code, each with the index of its line."""
    lines = enumerate(text.splitlines())
    return [(token, index) for index, line in lines for token in TOKEN.findall(line)]


def _words(text: str) -> list[tuple[str, int]]:
    """The words outside formulas and code, each with the index of its line."""
    bare = FORMULA.sub(lambda match: "\n" * match.group().count("\n"), text)
    lines = enumerate(bare.split("\n"))
    return [(word, index) for index, line in lines for word in WORD.findall(line)]


def _paths(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        if match := ABSOLUTE_PATH.search(line):
            yield line, f"an absolute path: {match.group()}"


def _line_in_file(released: str, cell_id: str, line: str) -> int:
    """Where a line of a cell stands in the notebook's file; it follows the cell's id."""
    rows = released.splitlines()
    start = next(i for i, row in enumerate(rows) if row.strip().startswith(f'"id": "{cell_id}"'))
    quoted = json.dumps(line, ensure_ascii=False)[1:-1]
    return next((i + 1 for i in range(start, len(rows)) if quoted in rows[i]), start + 1)
