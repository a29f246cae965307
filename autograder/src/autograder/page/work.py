"""What a job of the course's page does, in a process of its own.

    python -m autograder.page.work grade|publish|release ASSIGNMENT

Prints one JSON object per line: attributes of `autograder.page.jobs.Job` that have changed.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from typing import Any, TextIO

from autograder.config import Assignment, CourseError, course_dir, find_assignment
from autograder.course import Course, open_course


class Refusal(Exception):
    """Why a job is not done: its arguments are sentences."""


class Work:
    """One job; progress goes to `out`."""

    def __init__(self, course: Course, assignment: Assignment, out: TextIO) -> None:
        self.course, self.assignment, self.out = course, assignment, out

    def tell(self, **changed: Any) -> None:
        print(json.dumps(changed), file=self.out, flush=True)

    def grade(self) -> str:
        """Collect what was submitted, and grade what is new."""
        from autograder.classroom import grade_class, nbgrader_api

        name = self.assignment.name
        self.tell(text="collecting")
        collected = nbgrader_api(self.course).collect(name)
        if not collected["success"]:
            raise Refusal(collected.get("error") or collected["log"])
        students = self.course.students(name)
        self.tell(of=len(students))
        started = iter(range(len(students)))
        rows = grade_class(
            self.course,
            self.assignment,
            students,
            progress=lambda who: self.tell(done=next(started), text=f"grading {who}"),
        )
        self.tell(done=len(students))
        if failed := [row.student for row in rows if row.failed]:
            raise Refusal(f"nbgrader failed for {', '.join(failed)}: see {name}.log.")
        review = sum("review" in row.flags for row in rows)
        return f"{len(rows)} graded, {review} to review by hand"

    def publish(self) -> str:
        """Write everybody's feedback anew, with the hand grades, and put it into the exchange."""
        from autograder.classroom import nbgrader_api

        name, api = self.assignment.name, nbgrader_api(self.course)
        graded = sorted(path.parent.name for path in self.course.root.glob(f"autograded/*/{name}"))
        if not graded:
            raise Refusal("Nothing is graded yet: press Grade all first.")
        self.tell(of=len(graded))
        for number, student in enumerate(graded):
            self.tell(done=number, text=f"feedback for {student}")
            self._must(api.generate_feedback(name, student, force=True))
        self._must(api.release_feedback(name))
        self.tell(done=len(graded))
        return f"{len(graded)} students can fetch their feedback"

    def release(self) -> str:
        """Release the assignment, if its date has come and its suite is proved."""
        from autograder import classroom

        classroom.require_gradebook(self.course)
        self.tell(text="checking its suite: a few minutes")
        if reasons := classroom.refusals(self.assignment):
            raise Refusal(*reasons)
        classroom.release(self.course, self.assignment)
        return "released"

    def _must(self, outcome: dict[str, Any]) -> None:
        if not outcome["success"]:
            raise Refusal(outcome.get("error") or outcome["log"])


def main() -> int:
    """Do the job named on the command line."""
    action, name = sys.argv[1:]
    # Standard output is the channel: what libraries print goes to the log.
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    work = None
    try:
        work = Work(open_course(course_dir()), find_assignment(name), out)
        work.tell(state="done", text=getattr(work, action)())
    except (Refusal, CourseError) as error:
        print(json.dumps({"state": "refused", "reasons": list(error.args)}), file=out, flush=True)
        return 1
    except Exception:
        traceback.print_exc()
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
