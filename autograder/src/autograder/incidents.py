"""What statuses and incidents say to students and TAs; docs/incidents.md lists them all."""

from __future__ import annotations

from autograder import cells, reader
from autograder.results import Incident, Result

STATUS_ADVICE = {
    reader.MISSING: "No notebook of this assignment was found. Check its name and submit again.",
    "the grader failed": "The grader itself failed here. A person will grade this.",
}
UNREADABLE_ADVICE = "Open it in JupyterLab, repair or clear it, save it, and submit again."

NOTES = {
    "renamed": "The file had another name than the one it was released under",
    "other-notebooks": "There were other notebooks beside this one",
    "release-unknown": "The released version is not known",
    "cell-duplicated": "This cell was there more than once",
    "cell-missing": "This cell was deleted",
    "cell-too-large": "This cell is too large",
    "cell-type-changed": "The type of this cell was changed",
    "locked-cell-edited": "A locked cell was edited",
    "own-cells-dropped": "There were too many cells of your own",
    "cell-timeout": "This cell did not finish",
    "cell-crash": "This cell ended the Python process",
    "cell-memory": "This cell used too much memory",
    "cell-gpu-memory": "This cell used too much of the GPU's memory",
    "cell-no-answer": "This cell did not finish",
    "cell-protocol": "This cell disturbed the grader",
    "gave-up": "The notebook could not be run",
    "output-truncated": "This cell printed too much",
    "missing-function": "Not defined after the run",
    "cpu-only": "Works only on the CPU",
    "dependency": "Graded with our version of what it builds on",
    "opaque-code": "A person may ask what this does",
    "orders": "Nothing but the suite gives points",
    "forbidden": "Something that this exercise does not allow is used",
    "test-timeout": "A hidden test did not finish",
    "test-no-answer": "A hidden test did not finish",
    "test-crash": "A hidden test ended the Python process",
    "test-memory": "A hidden test used too much memory",
    "test-gpu-memory": "A hidden test used too much of the GPU's memory",
    "test-protocol": "A hidden test disturbed the grader",
    "test-too-many-callbacks": "A hidden test's function was called far too often",
    "policy-missing": "This file was not handed in",
    "policy-unreadable": "This file cannot be read",
    "policy-size": "This file is too large",
    "policy-pickle": "This file is a pickle, which is never opened",
    "policy-header": "This file is damaged",
    "policy-format": "This file is damaged",
    "policy-names": "This file does not hold the course's model",
    "policy-shape": "This file does not hold the course's model",
    "policy-untied": "This file does not hold the course's model",
    "policy-dtype": "This file holds numbers of another kind",
    "policy-not-finite": "This policy has no finite probabilities",
    "policy-too-large": "This policy has weights beyond all measure",
    "policy-reference": "This policy is the reference",
    "suite-error": "The grader itself failed here",
    "grader-failed": "The grader itself failed here",
}
QUIET = frozenset({"dependency"})  # costs nothing: not in tables
UNTOLD = frozenset({"cpu-only"})  # for staff, who may talk about it
STAFF_ONLY = frozenset({"suite-error"})  # their details may quote hidden inputs


def status_text(status: str) -> str:
    """The status as sentences, with what to do about it."""
    advice = STATUS_ADVICE.get(status, UNREADABLE_ADVICE)
    return f"{status[:1].upper()}{status[1:]}. {advice}"


def note(incident: Incident) -> str:
    """One incident as a sentence for the student."""
    title = NOTES.get(incident.code, incident.code)
    where = f" (`{incident.exercise}`)" if incident.exercise else ""
    detail = "a person will look at it" if incident.code in STAFF_ONLY else incident.detail
    end = "" if detail.endswith((".", "?")) else "."
    return f"{title}{where}: {detail}{end}"


def notes(result: Result, name: str | None = None, staff: bool = False) -> list[str]:
    """What the student should know; with a name, what concerns this exercise or answer.

    Args:
        result: what grading gave.
        name: the exercise or answer; by default all.
        staff: whether staff reads it, who should know more.
    """
    told = [each for each in result.incidents if staff or each.code not in UNTOLD]
    if name is not None:
        name = name.removeprefix(cells.TEST)
        return [note(each) for each in told if each.exercise == name]
    head = [] if result.status == "graded" else [status_text(result.status)]
    return [*head, *map(note, told)]


def headlines(found: list[Incident]) -> list[str]:
    """The incidents in few words, those of one kind together."""
    exercises: dict[str, list[str]] = {}
    for each in found:
        if each.code in QUIET:
            continue
        exercises.setdefault(NOTES.get(each.code, each.code), []).append(each.exercise or "")
    return [
        f"{title} ({', '.join(names)})" if any(names) else title
        for title, names in exercises.items()
    ]
