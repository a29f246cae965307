"""What is wrong with a suite and its zoo before any test runs: names that do not agree, chance,
and detours to the reference."""

from __future__ import annotations

import ast
import symtable
from collections import Counter
from collections.abc import Collection, Iterable, Iterator

from autograder.build import parse_source
from autograder.config import Assignment, CourseError
from autograder.scoring import Suite
from autograder.stateless import state_kept
from autograder.student import Student
from autograder.submission import graded_cells

# Numbers that are neither keyed by `draw` nor seeded by a generator.
CHANCE = (
    *("random.", "np.random.", "numpy.random.", "torch.rand", "torch.normal"),
    *("torch.bernoulli", "torch.multinomial", "torch.poisson"),
)
# What `student` has of its own; everything else is asked of the notebook.
STUDENT = {*dir(Student), "seed", "inplace"}
# Ways to run files that are not the suite's.
DETOURS = ("importlib.", "runpy.", "sys.path.", "__import__.")


def lint(suite: Suite, exercises: Iterable[str], files: Collection[str] = ()) -> None:
    """See that suite, zoo and notebook speak of the same names, and that nothing is random.

    Args:
        suite: the collected suite.
        exercises: those of the notebook.
        files: those among them that are scored by a file, and need no test.

    Raises:
        CourseError: a sentence for each thing that is wrong.
    """
    exercises = list(exercises)
    found = [
        *_unknown(suite, exercises),
        *_changing(suite),
        *_untested(suite, [name for name in exercises if name not in files]),
        *_in_the_source(suite.assignment),
    ]
    if found:
        raise CourseError("\n  - ".join(["the suite or its zoo cannot be right:", *found]))


def _unknown(suite: Suite, exercises: list[str]) -> Iterator[str]:
    assignment = suite.assignment
    where = assignment.suite.relative_to(assignment.root)
    named = [(f"{where}: {test.name} scores", test.exercise) for test in suite.tests]
    for table, entries in (("DEPENDS", suite.depends), ("FORBIDDEN", suite.forbidden)):
        named += [(f"{where}: {table} names", name) for name in entries]
    named += [
        (f"{where}: DEPENDS names", name) for names in suite.depends.values() for name in names
    ]
    for folder in sorted(each for each in assignment.zoo.glob("*") if any(each.glob("*.py"))):
        named.append((f"{folder.relative_to(assignment.root)}: the folder is called", folder.name))
    for what, name in dict.fromkeys(named):
        if name not in exercises:
            source = assignment.solution.relative_to(assignment.root)
            yield f"{what} {name!r}, but {source} has only {', '.join(exercises)}."


def _changing(suite: Suite) -> Iterator[str]:
    """Helpers that could not be called in a process that tests share."""
    assignment = suite.assignment
    where = assignment.suite.relative_to(assignment.root)
    graded = graded_cells(parse_source(assignment))
    sources, ours = [text for _, _, text in graded], {text for _, name, text in graded if not name}
    for name in sorted(suite.helpers):
        unknown = "no cell defines it" if name not in _defined(assignment) else ""
        if reason := unknown or state_kept(sources, ours, [name]):
            yield (
                f"{where}: HELPERS names {name!r}, of which it is not proved that it keeps "
                f"nothing from one call to the next ({reason}): leave it out."
            )


def _untested(suite: Suite, exercises: list[str]) -> Iterator[str]:
    where = suite.assignment.suite.relative_to(suite.assignment.root)
    for name in exercises:
        if not any(test.exercise == name for test in suite.tests):
            yield f"{where}: no test scores {name!r}: write one with @exercise({name!r})."


def _in_the_source(assignment: Assignment) -> Iterator[str]:
    tests: Counter[str] = Counter()
    defined = _defined(assignment)
    for file in assignment.suite_files:
        where = file.relative_to(assignment.root)
        tree = ast.parse(file.read_text("utf-8"))
        for node in tree.body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                tests[node.name] += 1
                if tests[node.name] == 2:
                    yield f"{where}:{node.lineno}: another test is called {node.name}: rename one."
        for call in ast.walk(tree):
            if isinstance(call, ast.Call) and _is_chance(call):
                yield (
                    f"{where}:{call.lineno}: {ast.unparse(call.func)} gives other numbers every "
                    "time: take them from `draw`, or pass generator=draw.generator()."
                )
        for line in sorted(set(_detours(tree))):
            yield (
                f"{where}:{line}: a suite runs no other file: the reference is "
                f"`reference({assignment.name!r})`, from autograder.suite."
            )
        for name, line in _asked(tree).items():
            if name not in defined:
                source = assignment.solution.relative_to(assignment.root)
                yield (
                    f"{where}:{line}: `student` is asked for {name!r}, which no cell of {source} "
                    "defines that runs in grading."
                )


def _is_chance(call: ast.Call) -> bool:
    seeded = any(keyword.arg == "generator" for keyword in call.keywords)
    return ast.unparse(call.func).startswith(CHANCE) and not seeded


def _detours(tree: ast.Module) -> Iterator[int]:
    """The lines that would run a file which is not the suite's."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [each.name for each in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{each.name}" for each in node.names]
        elif isinstance(node, ast.Attribute | ast.Name):
            names = [ast.unparse(node)]
        else:
            continue
        if any(f"{name}.".startswith(DETOURS) for name in names):
            yield node.lineno


def _asked(tree: ast.Module) -> dict[str, int]:
    """The names of the notebook that `student.f(...)` and `student.grad("f", ...)` ask for, each
    with a line that does."""
    asked = {}
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(ast.Name("student"), name) if name not in STUDENT:
                asked[name] = node.lineno
            case ast.Call(
                ast.Attribute(ast.Name("student"), method), [ast.Constant(str(name)), *_]
            ) if method in STUDENT:
                asked[name] = node.lineno
    return asked


def _defined(assignment: Assignment) -> set[str]:
    """The names that the notebook has when it is graded."""
    names = set()
    for index, _, source in graded_cells(parse_source(assignment)):
        try:
            table = symtable.symtable(source, f"cell {index + 1}", "exec")
        except SyntaxError as error:
            where = f"{assignment.solution}: cell {index + 1}, line {error.lineno}"
            raise CourseError(f"{where}: not Python: {error.msg}") from error
        for symbol in table.get_symbols():
            if symbol.is_assigned() or symbol.is_imported() or symbol.is_namespace():
                names.add(symbol.get_name())
    return names
