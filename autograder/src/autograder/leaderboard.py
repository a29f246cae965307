"""The project's leaderboard: J at beta = 0.2 of policies that are evaluated here, by pseudonym.

Who wants to take part hands in a file `leaderboard.txt` with a pseudonym beside the policies. No
figure comes from a student: every policy is read and evaluated as in grading. Nobody's name, and
nobody without that file, appears.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass
from html import escape
from pathlib import Path
from typing import Any

from autograder import project, reader
from autograder.config import Assignment
from autograder.course import Course

CONSENT = "leaderboard.txt"
MAX_BYTES = 400
MAX_LENGTH = 24
LABELS = {"policy_dpo": "DPO", "policy_pg": "PG", "policy_copg": "CoPG"}


@dataclass(frozen=True)
class Entry:
    """One participant.

    Attributes:
        pseudonym: unique on the board.
        figures: exercise -> what its policy does; policies that were refused are missing.
    """

    pseudonym: str
    figures: dict[str, project.Figures]

    @property
    def best(self) -> project.Figures:
        return max(self.figures.values(), key=lambda each: each.J)

    def as_dict(self, place: int) -> dict[str, Any]:
        """The object that `course leaderboard --json` prints."""
        return {
            "place": place,
            "pseudonym": self.pseudonym,
            "J": self.best.J,
            "policies": {name: asdict(each) for name, each in self.figures.items()},
        }


def board(
    course: Course, assignment: Assignment, progress: Callable[[str], None] = lambda student: None
) -> list[Entry]:
    """Everybody who takes part and handed in a valid policy, the largest J first.

    Policies are evaluated once; what was found is kept in COURSE/leaderboard/figures.json.
    """
    students = course.students(assignment.name)
    kept = _Kept(course.root / "leaderboard" / "figures.json")
    entries: list[Entry] = []
    for student in students:
        folder = course.submitted(assignment.name, student)
        wanted = pseudonym_of(folder)
        if wanted is None:
            continue
        progress(student)
        figures = {}
        for exercise in project.EXERCISES:
            try:
                figures[exercise] = kept.figures(folder / f"{exercise}{project.SUFFIX}")
            except project.Refused:
                continue
        if figures:
            taken = [each.pseudonym for each in entries]
            entries.append(Entry(_free(wanted, taken, students), figures))
    kept.save()
    return sorted(entries, key=lambda each: -each.best.J)


def pseudonym_of(folder: Path) -> str | None:
    """What the file of consent says, shortened to one printable line; None without consent."""
    try:
        text = reader.content_of(folder / CONSENT, MAX_BYTES).decode("utf-8", "replace")
    except (OSError, reader.Unreadable):
        return None
    return reader.printable(" ".join(text.split()), MAX_LENGTH) or None


def _free(wanted: str, taken: Collection[str], students: Collection[str]) -> str:
    """The pseudonym, or one like it that nobody has; a name of the class is no pseudonym."""
    if wanted.casefold() in {each.casefold() for each in students}:
        wanted = "anonymous"
    name, number = wanted, 1
    while name in taken:
        number += 1
        name = f"{wanted} ({number})"
    return name


class _Kept:
    """Figures of policies by their weights and those of the reference, kept in a file of ours."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.known = json.loads(path.read_text("utf-8")) if path.is_file() else {}

    def figures(self, path: Path) -> project.Figures:
        """What a policy does.

        Raises:
            project.Refused: the file is not a policy.
        """
        state = project.read_policy(path)
        key = f"{project.reference_fingerprint()[:16]}-{project.fingerprint(state)}"
        if key not in self.known:
            self.known[key] = asdict(project.evaluate(state))
        return project.Figures(**self.known[key])

    def save(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text(json.dumps(self.known, indent=1) + "\n", "utf-8")


def cells_of(entry: Entry) -> list[str]:
    """A row of the table: pseudonym, J of each policy, then reward, KL and wins of the best."""
    js = [
        f"{entry.figures[name].J:.2f}±{1.96 * entry.figures[name].J_se:.2f}"
        if name in entry.figures
        else "–"
        for name in LABELS
    ]
    best = entry.best
    return [entry.pseudonym, *js, f"{best.reward:.2f}", f"{best.kl:.2f}", f"{best.win_rate:.0%}"]


HEADINGS = ["pseudonym", *LABELS.values(), "R", "KL", "wins"]
CAPTION = (
    f"Under {', '.join(LABELS.values())}: J = R − {project.BETA} KL on the held-out prompts, with "
    "the 95 % interval of the evaluation; places whose intervals overlap are not told apart. "
    "R (reward), KL and wins against the reference are those of the best policy."
)
_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 56rem; margin: 2rem auto }}
table {{ border-collapse: collapse; width: 100% }}
th, td {{ padding: .35rem .6rem; text-align: right; border-bottom: 1px solid #ccc }}
th:nth-child(2), td:nth-child(2) {{ text-align: left }}
caption {{ caption-side: bottom; text-align: left; padding-top: .8rem; color: #444 }}
</style>
<h1>{title}</h1>
<table>
<caption>{caption}</caption>
<thead><tr>{head}</tr></thead>
<tbody>
{rows}
</tbody>
</table>
</html>
"""


def page(entries: list[Entry], title: str) -> str:
    """The board as one HTML page that loads nothing."""
    rows = [
        "<tr>" + "".join(f"<td>{escape(each)}</td>" for each in (str(place), *cells_of(entry)))
        for place, entry in enumerate(entries, 1)
    ]
    return _PAGE.format(
        title=escape(title),
        caption=escape(CAPTION),
        head="".join(f'<th scope="col">{escape(each)}</th>' for each in ("place", *HEADINGS)),
        rows="\n".join(f"{row}</tr>" for row in rows),
    )
