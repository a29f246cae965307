"""Stands in for the grader's package inside the sandbox, which must not see it."""

raise ModuleNotFoundError("No module named 'autograder'", name="autograder")
