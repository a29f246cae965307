"""`course doctor`."""

from __future__ import annotations

from rich.markup import escape

from autograder.cli.base import (
    DONE,
    WANTING,
    CourseOption,
    out,
    verb,
)
from autograder.config import course_dir


@verb
def doctor(course: CourseOption = None) -> int:
    """Say what is wrong with this installation, and what to do about it."""
    from autograder.doctor import examine

    status = DONE
    for finding in examine(course_dir(course)):
        colour = "red" if finding.advice else "green"
        mark = "\N{BALLOT X}" if finding.advice else "\N{CHECK MARK}"
        line = f"[{colour}]{mark}[/] {finding.what}: {escape(finding.found)}"
        out.print(line, highlight=False, soft_wrap=True)
        if finding.advice:
            status = WANTING
            out.print(f"  {escape(finding.advice)}", highlight=False, soft_wrap=True)
    return status
