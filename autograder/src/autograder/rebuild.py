"""A submission on the release: ours are the cells, the student's are the sources.

The student contributes the sources of solution cells and written answers, and cells of their own.
Everything else (metadata, points, cell types, locked cells, the kernel, the order) is the
release's.
"""

from __future__ import annotations

from dataclasses import asdict

import nbformat
from nbformat import NotebookNode

from autograder import cells
from autograder.reader import HandedIn, StudentCell
from autograder.results import Incident

MAX_CELL_CHARS = 200_000
MAX_OWN_CELLS = 500
MAX_OWN_CHARS = 2_000_000
OWN = "own-"


def rebuild(release: NotebookNode, submission: HandedIn) -> NotebookNode:
    """The submission's sources on a copy of the release.

    The copy's metadata carries, under `sft2rl`, the status ("" if it can be graded, else the
    reason why not) and the incidents met so far.
    """
    notebook = nbformat.from_dict(release)
    incidents = list(submission.incidents)
    if not submission.problem:
        _fill(notebook, submission.cells, incidents)
    notebook.metadata.sft2rl.update(
        status=submission.problem, incidents=[asdict(each) for each in incidents]
    )
    return notebook


def _fill(
    notebook: NotebookNode, handed_in: tuple[StudentCell, ...], incidents: list[Incident]
) -> None:
    places = _match(notebook, handed_in)
    answers: dict[int, StudentCell] = {}
    own: dict[int, list[StudentCell]] = {}
    anchor = -1
    for cell, place in zip(handed_in, places, strict=True):
        if place is None:
            own.setdefault(anchor, []).append(cell)
            continue
        anchor = place
        ours = notebook.cells[place]
        if not cells.nbgrader(ours):
            if cell.source != ours.source:
                _edited(ours, cell, own.setdefault(anchor, []))
        elif place in answers:
            incidents.append(_incident("cell-duplicated", ours, "the last copy counts"))
            answers[place] = cell
        else:
            answers[place] = cell
    for place, ours in enumerate(notebook.cells):
        if cells.nbgrader(ours):
            _answer(ours, answers.get(place), incidents)
    _insert(notebook, own, incidents)


def _match(notebook: NotebookNode, handed_in: tuple[StudentCell, ...]) -> list[int | None]:
    """For each cell handed in, the index of the release's cell that it is, or None."""
    by_name = {name: i for i, cell in enumerate(notebook.cells) if (name := cells.grade_id(cell))}
    ordinary = {i: cell for i, cell in enumerate(notebook.cells) if not cells.nbgrader(cell)}
    by_id = {cell.id: i for i, cell in ordinary.items()}
    by_source = {(cell.cell_type, cell.source): i for i, cell in ordinary.items()}
    return [
        by_name[cell.grade_id]
        if cell.grade_id in by_name
        else by_id.get(cell.cell_id, by_source.get((cell.cell_type, cell.source)))
        for cell in handed_in
    ]


def _edited(ours: NotebookNode, cell: StudentCell, own: list[StudentCell]) -> None:
    """An ordinary cell of ours that the student changed: kept, in place of ours if ours only shows.

    What runs in grading (constants, for example) runs as released first, then as edited.
    """
    if cells.is_skipped(ours) or ours.cell_type != "code":
        if len(cell.source) <= MAX_CELL_CHARS:
            ours.source = cell.source
    else:
        own.append(cell)


def _answer(ours: NotebookNode, cell: StudentCell | None, incidents: list[Incident]) -> None:
    """Take the student's source into one of our nbgrader cells, where it is theirs to write."""
    if not cells.is_solution(ours):
        if cell is not None and cell.source.strip() != ours.source.strip():
            incidents.append(_incident("locked-cell-edited", ours, "graded as it was released"))
    elif cell is None:
        incidents.append(_incident("cell-missing", ours, "graded as not answered"))
    elif len(cell.source) > MAX_CELL_CHARS:
        detail = f"more than {MAX_CELL_CHARS} characters: graded as not answered"
        incidents.append(_incident("cell-too-large", ours, detail))
    else:
        if cell.cell_type != ours.cell_type:
            detail = f"handed in as a {cell.cell_type} cell, graded as {ours.cell_type}"
            incidents.append(_incident("cell-type-changed", ours, detail))
        ours.source = cell.source


def _insert(
    notebook: NotebookNode, own: dict[int, list[StudentCell]], incidents: list[Incident]
) -> None:
    """Put the student's own cells behind the cell of ours that they followed."""
    rebuilt: list[NotebookNode] = []
    count = chars = dropped = 0
    for place in range(-1, len(notebook.cells)):
        if place >= 0:
            rebuilt.append(notebook.cells[place])
        for cell in own.get(place, ()):
            fits = len(cell.source) <= MAX_CELL_CHARS and chars + len(cell.source) <= MAX_OWN_CHARS
            if count < MAX_OWN_CELLS and fits:
                rebuilt.append(_own_cell(cell, count))
                count, chars = count + 1, chars + len(cell.source)
            else:
                dropped += 1
    if dropped:
        detail = f"{dropped} cells beyond the limits were left out"
        incidents.append(Incident("own-cells-dropped", None, detail))
    notebook.cells = rebuilt


def _own_cell(cell: StudentCell, number: int) -> NotebookNode:
    code = cell.cell_type == "code"  # raw cells become markdown: pages would show them unescaped
    make = nbformat.v4.new_code_cell if code else nbformat.v4.new_markdown_cell
    return make(cell.source, id=f"{OWN}{number}")


def _incident(code: str, ours: NotebookNode, detail: str) -> Incident:
    name = cells.exercise_of(ours) or cells.grade_id(ours)
    return Incident(code, name, detail)
