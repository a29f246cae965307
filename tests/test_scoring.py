"""Suites on real submissions in real sandboxes: scores, messages, forgiveness, rules, proofs."""

import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import jupytext
import nbformat.v4 as v4
import pytest

from autograder import audit, build, check, grade, visible
from autograder.config import Assignment, CourseError, Limits
from autograder.results import ExerciseResult, Incident, Result
from autograder.scoring import score_notebook

SUITE = '''
"""Two exercises, the second built on the first."""
from autograder.suite import Draw, Student, exercise, expect

DEPENDS = {"area": ["double"]}
FORBIDDEN = {"double": ["math.fsum"]}

@exercise("double", weight=3)
def test_numbers_are_doubled(student: Student, draw: Draw):
    """A number."""
    x = draw.integer(3, 99)
    expect(student.double(x)).equals(2 * x, "Twice the number is wanted.",
        mistakes={"You squared it.": x * x})

@exercise("double")
def test_zero_is_doubled(student: Student, draw: Draw):
    """Zero."""
    expect(student.double(0)).equals(0, "Twice zero is zero.")

@exercise("area")
def test_area_of_two_squares(student: Student, draw: Draw):
    """Two squares."""
    x = draw.integer(3, 99)
    expect(student.area(x)).equals(2 * x * x, "Two squares of side x.")
'''
DOUBLE = "def double(x):\n    ### BEGIN SOLUTION\n    return x + x\n    ### END SOLUTION"
AREA = "def area(x):\n    ### BEGIN SOLUTION\n    return double(x * x)\n    ### END SOLUTION"
LIMITS = Limits(cell_cpu_seconds=2, test_cpu_seconds=1, memory_mb=1024)


def source(double: str = DOUBLE, area: str = AREA) -> str:
    """The percent script of the assignment with these two cells."""
    parts = ['# %% tags=["show"]\nraise SystemExit']
    for name, code, points in (("double", double, 2), ("area", area, 1)):
        base = f'"schema_version": 3, "task": false, "grade_id": "{name}", "grade": false'
        parts.append(f'# %% nbgrader={{{base}, "solution": true, "locked": false}}\n{code}')
        base = f'"schema_version": 3, "task": false, "grade_id": "test_{name}", "grade": true'
        more = f'"solution": false, "locked": true, "points": {points}'
        parts.append(f"# %% nbgrader={{{base}, {more}}}\nassert False, 'visible checks do not run'")
    return "\n\n".join(parts) + "\n"


@pytest.fixture
def assignment(tmp_path: Path) -> Assignment:
    for folder in ("solutions/00_area", "autograder/suites", "autograder/zoo/00_area"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "solutions/00_area/area.py").write_text(source())
    (tmp_path / "autograder/suites/test_00_area.py").write_text(SUITE)
    day = datetime(2026, 9, 7, tzinfo=UTC)
    return Assignment(tmp_path, "00_area", "area", "Area", "0", day, day, 5, LIMITS)


def score(assignment: Assignment, double: str = DOUBLE, area: str = AREA) -> Result:
    notebook = jupytext.reads(source(double, area), fmt="py:percent")
    return score_notebook(notebook, assignment, b"key")


def codes(result: Result) -> list[str]:
    return [incident.code for incident in result.incidents]


def messages(result: Result, name: str) -> str:
    return " ".join(test.text for test in result.exercises[name].tests)


def in_a_folder(assignment: Assignment) -> Path:
    """Split the suite: settings and helpers in files of their own, a file per exercise."""
    head, double, zero, area = SUITE.split("@exercise")
    one = assignment.suite
    folder = one.with_suffix("")
    folder.mkdir()
    imports = "from autograder.suite import Draw, Student, exercise, expect\n"
    (folder / "__init__.py").write_text(head)
    (folder / "sizes.py").write_text("def side(draw):\n    return draw.integer(3, 99)\n")
    (folder / "test_1_double.py").write_text(f"{imports}@exercise{double}@exercise{zero}")
    area = area.replace("draw.integer(3, 99)", "side(draw)")
    (folder / "test_2_area.py").write_text(f"{imports}from .sizes import side\n@exercise{area}")
    one.unlink()
    return folder


def test_a_suite_in_a_folder_is_the_same_suite(assignment):
    alone = audit.suite_hash(assignment)
    wrong = "def double(x):\n    import math\n    return math.fsum([x * x])"
    answers = [(DOUBLE, AREA), ("def double(x):\n    return x * x", AREA), (wrong, AREA)]
    before = [score(assignment, *answer) for answer in answers]
    folder = in_a_folder(assignment)
    assert [score(assignment, *answer) for answer in answers] == before
    assert assignment.suite == folder and before[1].exercises["area"].score == 1
    split = audit.suite_hash(assignment)
    (folder / "sizes.py").write_text("def side(draw):\n    return 1 / 0\n")
    assert len({alone, split, audit.suite_hash(assignment)}) == 3
    assert codes(score(assignment)) == ["suite-error"]
    (folder.parent / f"{folder.name}.py").write_text(SUITE)
    with pytest.raises(CourseError, match="delete one"):
        score(assignment)


def test_the_reference_is_full_and_twice_the_same(assignment):
    first, second = score(assignment), score(assignment)
    assert (first.score, first.max_score, first.incidents) == (3, 3, [])
    assert first.as_dict("n", "a") == second.as_dict("n", "a")


def test_partial_credit_is_the_share_of_weights_and_names_the_mistake(assignment):
    result = score(assignment, "def double(x):\n    return x * x")
    assert result.exercises["double"].score == 2 * 1 / 4
    assert messages(result, "double").strip() == (
        "A number. You squared it. Twice the number is wanted."
    )


def test_a_mistake_costs_once(assignment):
    result = score(assignment, "def double(x):\n    return 3 * x")
    assert result.exercises["area"].score == 1
    assert codes(result) == ["dependency"]
    wrong = score(assignment, "def double(x):\n    return 3 * x", "def area(x):\n    return x")
    assert wrong.exercises["area"].score == 0


SLOW = """
import time
def double(x):
    until = time.process_time() + 0.7
    while time.process_time() < until:
        pass
    return x + x
"""


def test_a_slow_answer_costs_nothing_where_it_is_used_often(assignment):
    often = "def area(x):\n    return sum(double(x * x) for _ in range(4)) // 4"
    result = score(assignment, SLOW, often)
    assert result.exercises["double"].score == 2 and result.exercises["area"].score == 1
    assert codes(result) == ["test-timeout", "dependency"]


def test_what_happens_in_a_scoring_that_does_not_count_is_not_told(assignment):
    wrong = "import os\ndef area(x):\n    os._exit(0) if double(1) == 2 else x"
    result = score(assignment, "def double(x):\n    return 3 * x", wrong)
    assert result.exercises["area"].score == 0 and codes(result) == []


def test_a_missing_function_is_named(assignment):
    result = score(assignment, "def triple(x):\n    return x + x")
    assert result.exercises["double"].score == 0 and result.exercises["area"].score == 1
    assert "`double` is not defined" in messages(result, "double")
    assert codes(result) == ["missing-function", "dependency"]


def test_a_syntax_error_costs_its_own_exercise(assignment):
    result = score(assignment, area="def area(x) return 1")
    assert result.exercises["double"].score == 2 and result.exercises["area"].score == 0


def test_a_forbidden_function_goes_to_a_person(assignment):
    result = score(assignment, "import math as m\ndef double(x):\n    return int(m.fsum([x, x]))")
    assert result.exercises["double"].score is None and result.exercises["area"].score == 1
    assert codes(result) == ["forbidden"] and "line 3" in result.incidents[0].detail


def test_an_endless_loop_costs_its_own_exercise(assignment):
    result = score(assignment, area="def area(x):\n    while True: pass")
    assert result.exercises["double"].score == 2 and result.exercises["area"].score == 0
    assert "CPU time" in messages(result, "area") and codes(result) == ["test-timeout"]


def test_a_broken_suite_is_not_the_students_fault(assignment):
    assignment.suite.write_text(SUITE.replace("x = draw.integer(3, 99)", "x = 1 / 0", 1))
    result = score(assignment)
    assert result.exercises["double"].score is None and codes(result) == ["suite-error"]


@pytest.mark.parametrize(
    "liar",
    [
        "class A(int):\n    __eq__ = lambda s, o: True\n    __hash__ = int.__hash__\n"
        "def double(x):\n    return A(-1)",
        "class P:\n    __array__ = lambda s: 1\n    __eq__ = lambda s, o: True\n"
        "def double(x):\n    return P()",
        "import torch, builtins\ntorch.equal = torch.allclose = lambda *a, **k: True\n"
        "builtins.all = lambda x: True\ndef double(x):\n    return -1",
        "import sys, types\nsys.modules['pytest'] = types.ModuleType('pytest')\n"
        "def double(x):\n    print('1 passed', 2.0)\n    return float('nan')",
    ],
    ids=["always-equal int", "always-equal proxy", "patched comparisons", "forged output"],
)
def test_forgeries_earn_nothing(assignment, liar):
    result = score(assignment, liar)
    assert result.exercises["double"].score == 0 and result.exercises["area"].score == 1


def mutant(misconception: str, phrase: str, body: str) -> str:
    return f'"""{misconception}\n\nmessage: {phrase}\n"""\ndef double(x):\n    return {body}\n'


def rewrite(difference: str, body: str) -> str:
    return f'"""{difference}"""\ndef double(x):\n    return {body}\n'


ZOO = {
    "mutant_squares": mutant("Squares.", "You squared it", "x * x"),
    "mutant_one": mutant("One more.", "Twice zero", "2 * x or 1"),
    "mutant_survivor": mutant("Right after all.", "x", "2 * x"),
    "mutant_mute": mutant("Negative.", "minus", "-2 * x"),
    "rewrite_shift": rewrite("Shifts.", "x << 1"),
    "rewrite_wrong": rewrite("Not right.", "x"),
}


def test_check_proves_a_suite_and_finds_what_is_wrong_with_it(assignment):
    folder = assignment.zoo / "double"
    folder.mkdir()
    for name, text in ZOO.items():
        (folder / f"{name}.py").write_text(text)
    report = check.check(assignment, exercise="double", keys=(b"1", b"2"))
    row = report["double"]
    assert (row["reference"], row["stub"]) == (2, 0)
    assert row["mutants"] == {"mute": 0.5, "one": 1.5, "squares": 0.5, "survivor": 2}
    assert row["rewrites"] == {"shift": 2, "wrong": 0.5}
    found = "\n".join(check.problems(report))
    for sentence in (
        "mutant survivor keeps full marks",
        "mutant mute: no message says 'minus'",
        "rewrite wrong loses",
        "4 mutants and 2 rewrites; at least 6 and 3 are wanted in autograder/zoo/00_area/double",
        "the visible check refuses the reference: AssertionError: visible checks do not run",
    ):
        assert sentence in found
    assert "squares" not in found and "no mutant fails" not in found


def test_check_says_where_a_right_answer_costs_another_exercise_points(assignment):
    (assignment.zoo / "double").mkdir()
    for name, body in (("shift", "x << 1"), ("small", "x + x if x < 100 else x")):
        text = rewrite("Right as far as its tests go.", body)
        (assignment.zoo / "double" / f"rewrite_{name}.py").write_text(text)
    report = check.check(assignment, keys=(b"2",))
    found = "\n".join(check.problems(report))
    assert report["double"]["rewrites"] == {"shift": 2, "small": 2}
    assert "double: rewrite small makes area lose, which builds on it: test_area_of" in found
    assert "rewrite shift" not in found


def check_of(line: str) -> str:
    """The cell of a visible check with this line in it."""
    return "from sft2rl.checks import *\n@visible_check\ndef check(fn):\n    " + line


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("equal(fn(3), 6, 'three')", ""),
        ("equal(fn(3), 7, 'three')", "refuses the reference: CheckFailed: three: / "),
        ("equal(fn.__code__.co_names, (), 'names')", "refuses the rewrite named: CheckFailed"),
        ("equal(1, 1, 'nothing')", "accepts the stub: let it call the function"),
        ("pass\ncheck = lambda fn: fn(3)", "needs @visible_check: a stub made it say"),
    ],
)
def test_a_visible_check_lets_right_answers_through_only(assignment, line, sentence):
    text = assignment.solution.read_text()
    old = "assert False, 'visible checks do not run'"
    assignment.solution.write_text(text.replace(old, f"{check_of(line)}\ncheck(double)", 1))
    checks = visible.VisibleChecks(assignment, build.parse_source(assignment))
    stub = "def double(x):\n    raise NotImplementedError()"
    rewrites = {
        "named": "def double(x):\n    return int(x) * 2",
        "shift": "def double(x):\n    return x << 1",
    }
    found = "\n".join(checks.problems("double", stub, rewrites))
    assert sentence in found and bool(sentence) == bool(found)


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ('@exercise("area")', '@exercise("Area")', "test_area_of_two_squares scores 'Area', but"),
        ('@exercise("area")', '@exercise("Area")', "no test scores 'area': write one with"),
        ('{"area": ["double"]}', '{"area": ["twice"]}', "DEPENDS names 'twice', but solutions/"),
        ('{"double": ["math', '{"twice": ["math', "FORBIDDEN names 'twice', but"),
        (
            "FORBIDDEN = {",
            "HELPERS = ('helper',)\nFORBIDDEN = {",
            "HELPERS names 'helper', of which",
        ),
        ("test_zero_is_doubled", "test_numbers_are_doubled", "another test is called"),
        ("x = draw.integer(3, 99)", "x = random.randrange(99)", "random.randrange gives other"),
        ("import random", "from importlib import import_module", "a suite runs no other file"),
        ("x = draw", "import sys; sys.path += ['solutions']; x = draw", "runs no other file: the"),
        ("student.area(x)", "student.aria(x)", "`student` is asked for 'aria', which no cell of"),
        ("student.double(0)", "student.raised('dubble', 0)", "`student` is asked for 'dubble'"),
    ],
)
def test_check_finds_what_does_not_agree(assignment, old, new, sentence):
    text = assignment.suite.read_text().replace("from autograder", "import random\nfrom autograder")
    assignment.suite.write_text(text.replace(old, new, 1))
    (assignment.zoo / "double").mkdir()
    (assignment.zoo / "double" / "mutant_squares.py").write_text(ZOO["mutant_squares"])
    with pytest.raises(CourseError, match="cannot be right") as caught:
        check.check(assignment)
    assert sentence in str(caught.value) and "autograder/suites/test_00_area.py" in str(
        caught.value
    )


def test_check_finds_a_cell_that_is_not_python(assignment):
    assignment.solution.write_text(source() + "\n# %%\nx = (\n")
    with pytest.raises(CourseError, match=r"area.py: cell 6, line 1: not Python: '\(' was never"):
        check.check(assignment)


def test_check_finds_a_folder_of_the_zoo_that_no_exercise_has(assignment):
    (assignment.zoo / "dubble").mkdir()
    (assignment.zoo / "dubble" / "rewrite_shift.py").write_text(ZOO["rewrite_shift"])
    with pytest.raises(CourseError, match="zoo/00_area/dubble: the folder is called 'dubble', but"):
        check.check(assignment)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('"""Open.\n\nmessage: x\n"""\ndef double(x:\n', r"mutant_a.py:5: not Python: '\(' was"),
        ('"""Other.\n\nmessage: x\n"""\ndef dubble(x):\n    return 1', "does not define double"),
        ('"""Mute."""\ndef double(x):\n    return 1', "a line `message: PHRASE`"),
    ],
)
def test_an_answer_of_the_zoo_that_cannot_be_tried(assignment, text, sentence):
    (assignment.zoo / "double").mkdir()
    (assignment.zoo / "double" / "mutant_a.py").write_text(text)
    with pytest.raises(CourseError, match=sentence):
        check.load_zoo(assignment)


def test_nothing_more_is_tried_where_the_reference_loses(assignment):
    assignment.suite.write_text(SUITE.replace("expect(student.double(0))", "open('data.json')"))
    (assignment.zoo / "double").mkdir()
    (assignment.zoo / "double" / "mutant_squares.py").write_text(ZOO["mutant_squares"])
    row = check.check(assignment, exercise="double", keys=(b"1",))["double"]
    (problem,) = row["problems"]
    assert "test_zero_is_doubled raised FileNotFoundError" in problem
    assert "autograder/suites/test_00_area.py" in problem and row["stub"] is None


def test_check_finds_a_test_that_nothing_needs(assignment):
    (assignment.zoo / "double").mkdir()
    text = ZOO["mutant_squares"]
    (assignment.zoo / "double" / "mutant_squares.py").write_text(text)
    report = check.check(assignment, exercise="double", keys=(b"1",))
    assert (
        "no mutant fails test_zero_is_doubled: add one to autograder/zoo/00_area/double"
        in "\n".join(check.problems(report))
    )


class Files:
    """Scores `area` by the number in a file."""

    EXERCISES = ("area",)

    @staticmethod
    def score_artefact(name, folder, points):
        text = (folder / f"{name}.txt").read_text()
        notes = [] if text == "2" else [Incident("policy-format", name, "not a two")]
        return ExerciseResult(points if text == "2" else 0.0, points), notes


def test_an_exercise_may_be_scored_by_a_file(assignment, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "files", Files)
    assignment = replace(assignment, artefacts="files")
    result = score(assignment, area="raise SystemExit")
    for text, points, found in (("2", 1, []), ("3", 0, ["policy-format"])):
        (tmp_path / "area.txt").write_text(text)
        result.incidents = []
        grade.add_artefacts(result, assignment, tmp_path)
        scores = {name: each.score for name, each in result.exercises.items()}
        assert (scores, codes(result)) == ({"double": 2, "area": points}, found)


def test_a_fault_in_scoring_a_file_costs_nobody_anything(assignment, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "files", Files)
    result = Result("graded", {"double": ExerciseResult(2, 2), "area": ExerciseResult(None, 1)})
    grade.add_artefacts(result, replace(assignment, artefacts="files"), tmp_path / "nowhere")
    assert (result.exercises["double"].score, result.exercises["area"].score) == (2, None)
    assert codes(result) == ["suite-error"]


def test_empty_notebook_scores_nothing(assignment):
    result = score_notebook(v4.new_notebook(), assignment, b"key")
    assert result.status == "graded" and result.max_score == 0


def test_exercises_that_need_each_other_are_refused(assignment):
    text = assignment.suite.read_text()
    assignment.suite.write_text(text + "\nDEPENDS = {'double': ['area'], 'area': ['double']}\n")
    with pytest.raises(CourseError, match="depends on itself"):
        score_notebook(v4.new_notebook(), assignment, b"key")
