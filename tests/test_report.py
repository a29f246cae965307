"""The class report: its numbers, its page, and that similarity is found and not invented."""

import json
import random
import re
import shutil
import time
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from tiny_class import NAME, Class
from typer.testing import CliRunner

from autograder import results
from autograder.cli import app
from autograder.config import CourseError
from autograder.page import _report
from autograder.report import data, similarity
from autograder.report.page import extract, page
from autograder.report.similarity import Text

BASE = """def mean_of_squares(values):
    total, count = 0, 0
    for value in values:
        if value is None or value != value:
            continue
        total = total + value * value
        count += 1
    return total / count if count > 0 else float("nan")
"""
RENAMED = """def mean_of_squares(xs):
    # all my own work
    s, n = 0, 0
    for x in xs:
        if x is None or x != x: continue
        s = s + x * x; n += 1
    return s / n if n > 0 else float('inf')
"""
OTHER = """def mean_of_squares(values):
    kept = [v for v in values if v is not None and not math.isnan(v)]
    return sum(map(lambda v: v ** 2, kept)) / len(kept) if kept else math.nan
"""


def compared(**sources: str) -> list[similarity.Pair]:
    submissions = {name: {"mean_of_squares": Text(source)} for name, source in sources.items()}
    return similarity.pairs(submissions, {})


def test_renamed_and_laid_out_anew_is_still_similar() -> None:
    (pair,) = compared(ada=BASE, ben=RENAMED, cem=OTHER)
    assert pair.students == ("ada", "ben")
    assert pair.tokens >= similarity.MIN_TOKENS and pair.share > 0.7
    (passage,) = pair.passages
    start, end = passage.ranges[1][0][0], passage.ranges[1][-1][1]
    assert "s = s + x * x" in passage.sources[1][start:end]


def test_what_we_gave_out_is_not_similar() -> None:
    both = {name: {"mean_of_squares": Text(BASE)} for name in ("ada", "ben")}
    assert len(similarity.pairs(both, {})) == 1
    assert similarity.pairs(both, {"mean_of_squares": [Text(RENAMED), Text(BASE)]}) == []


def test_what_many_wrote_is_the_exercise() -> None:
    few = {f"s{i}": BASE for i in range(similarity.FEW)}
    assert len(compared(**few)) == 3
    assert compared(**few, more=BASE) == []


def test_prose_is_compared_by_its_words() -> None:
    rng = random.Random(0)
    words = [f"word{i}" for i in range(400)]
    mine, other = (" ".join(rng.choices(words, k=80)) for _ in range(2))
    theirs = mine.upper().replace(" ", ", ")
    answers = {"ada": mine, "ben": theirs, "cem": other}
    found = similarity.pairs({who: {"why": Text(text, True)} for who, text in answers.items()}, {})
    assert [pair.students for pair in found] == [("ada", "ben")]


def test_broken_code_is_read_too() -> None:
    for source in ("", "def f(:\n '''", "x = (", "\x00\ud800", "%magic\n!ls"):
        compared(ada=source, ben=source + BASE)


def test_winnowing_keeps_one_of_every_window() -> None:
    hashes = [bytes([value]) for value in random.Random(1).choices(range(50), k=200)]
    kept = similarity.winnow(hashes)
    gaps = [after - before for before, after in zip([-1, *kept], [*kept, 200], strict=True)]
    assert max(gaps) <= similarity.WINDOW
    assert len(kept) < 100


def test_discrimination_is_the_corrected_correlation() -> None:
    shares = [0.0, 0.0, 0.5, 0.5, 1.0, 1.0, 1.0, 0.0, 0.5, 1.0]
    rest = [1.0, 2, 3, 5, 4, 6, 5, 2, 4, 7]
    wanted = np.corrcoef(shares, rest)[0, 1]
    assert data.discrimination(shares, rest) == pytest.approx(wanted)
    assert data.discrimination(shares[:9], rest[:9]) is None
    assert data.discrimination([1.0] * 10, rest) is None
    low, high = data.fisher(0.5, 28)  # atanh(0.5) = 0.5493, half-width 0.392
    assert (low, high) == (pytest.approx(0.156, abs=1e-3), pytest.approx(0.7355, abs=1e-3))


def test_an_item_is_not_correlated_with_itself() -> None:
    """Ten students, two items: each is compared with the other alone."""
    hands = [
        data.Hand(str(i), "graded", {"a": i / 9, "b": (i * 7 % 10) / 9}, {"a": 1, "b": 100},
                  {}, [], None, {}, set())
        for i in range(10)
    ]  # fmt: skip
    first, second = data.items(hands, ["a", "b"])
    assert first.r == pytest.approx(second.r) and abs(first.r or 1) < 0.5


def test_a_missing_function_is_one_mistake() -> None:
    tests = [
        asdict(results.TestResult(f"test_{i}", "failed", i, "Undefined.", f"Input {i}"))
        for i in (1, 2)
    ]
    result = {"double": {"score": 0.0, "max_score": 6.0, "tests": tests}}
    met = [{"code": "missing-function", "exercise": "double", "detail": "`double` is not defined"}]
    hand = data.Hand("ada", "graded", {}, {}, result, met, None, {}, set())
    assert data.costly(data._messages([hand])) == [
        data.Loss("double", "`double` is not defined.", 1, 6.0)
    ]


def test_the_report_of_a_class(at_class: Class) -> None:
    shown = CliRunner().invoke(app, ["report", NAME, "--json"])
    assert shown.exit_code == 0, shown.output
    found = json.loads(shown.stdout)
    assert found["scores"] == [0.0, 2.5, 3.5, 3.5, 3.5] and found["max_score"] == 3.5
    assert found["counts_hand"] is False and found["waiting"] == 4
    assert found["others"] == {"unreadable notebook: it is not JSON": ["fay"]}
    double = found["items"][0]
    assert (double["name"], double["share"], double["full"], double["blank"]) == (
        "double",
        0.7,
        3,
        1,
    )
    assert double["r"] is None
    assert {(loss["what"], loss["students"], loss["points"]) for loss in found["tests"]} == {
        ("test_integers_are_doubled", 1, 1.0),
        ("test_negative_numbers_are_doubled", 2, 2.0),
        ("test_calls_are_counted", 1, 1.5),
    }
    (message,) = found["messages"]  # cem has not begun
    assert message["what"] == "A negative number. The sign of the argument must survive."
    assert [hour > 0 for hour in found["hours"]] == [False, True, True, True, True, True]
    (pair,) = found["pairs"]
    assert pair["students"] == ["dana", "eve"] and set(pair["parts"]) == {"double"}


def test_the_page_loads_and_runs_nothing(at_class: Class) -> None:
    shown = CliRunner().invoke(app, ["report", NAME, "--to", "there/report.html"])
    assert shown.exit_code == 0, shown.output
    html = (at_class.root / "there" / "report.html").read_text("utf-8")
    assert "alert(4)" in html and "<script" not in html
    assert not re.search(r"\b(?:src|href|srcset|action|data)\s*=|url\(|@import|\son\w+=", html)
    assert html.count("<svg role") == html.count("<desc>") == 2
    assert "5 students are too few" in html and "Not counted: 1 without a notebook" in html
    assert "Similarity is no proof" in html


def test_the_staffs_page_shows_the_same(at_class: Class) -> None:
    shown = _report(NAME)
    assert shown.startswith("<!doctype html>") and "Tiny: class report" in shown
    with pytest.raises(CourseError, match="There is no assignment"):
        _report("../../etc")


def test_a_huge_answer_delays_nobody() -> None:
    huge = "(" * 10**6 + '"""' * 10**5
    started = time.process_time()
    compared(ada=huge, ben=huge + "x", cem=BASE)
    assert time.process_time() - started < 10


def test_texts_of_students_are_escaped() -> None:
    bad = "<img src=x onerror=alert(1)>"
    passage = similarity.Passage(bad, 3, (f"a {bad} b", bad), ([(2, 5)], [(0, 3)]))
    loss = data.Loss(bad, f"test_{bad}", 1, 1.0)
    report = data.ClassReport(
        bad, bad, [1.0], 2.0, True, 0, {bad: [bad]},
        [data.Item(bad, False, 1.0, 0.5, 0, 0, 1, None, None)],
        [loss], [loss], [1.0], {bad: [bad]}, [similarity.Pair((bad, bad), 50, 1.0, (passage,))],
    )  # fmt: skip
    html = page(report, datetime(2026, 1, 1))
    assert "<img" not in html and html.count("&lt;img") > 8


def test_an_extract_shows_the_lines_around_the_passage() -> None:
    source = "zero\n<one>\ntwo\nthree"
    assert extract(source, [(6, 9), (11, 12)]) == "&lt;<mark>one</mark>&gt;\n<mark>t</mark>wo"
    long = "\n".join("x" * 3 for _ in range(100))
    shown = extract(long, [(0, len(long))])
    assert shown.count("\n") == 60 and shown.endswith("</mark>\n...")


def test_what_is_missing_is_said(at_class: Class, tmp_path: Path) -> None:
    nowhere = CliRunner().invoke(app, ["report", NAME, "--course", str(tmp_path / "none")])
    assert nowhere.exit_code == 2 and "is no course folder" in nowhere.output
    assert not (tmp_path / "none").exists()
    without = shutil.ignore_patterns("autograded")
    shutil.copytree(at_class.course.root, tmp_path / "new", ignore=without)
    nobody = CliRunner().invoke(app, ["report", NAME, "--course", str(tmp_path / "new")])
    assert nobody.exit_code == 2 and "run `course grade 00_tiny`" in nobody.output
