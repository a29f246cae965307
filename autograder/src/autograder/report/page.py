"""The class report as one HTML page that loads nothing and runs nothing."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from html import escape
from pathlib import Path

from autograder.report.data import MIN_CLASS, ClassReport, Item, Loss
from autograder.report.figures import bars, meter
from autograder.report.similarity import Pair, Passage

TOP_LOSSES, TOP_PAIRS, TOP_PASSAGES, MAX_LINES = 12, 25, 4, 60
# Hours before the deadline where the columns of the time plot begin; below 0 is late.
EDGES = (168.0, 72.0, 24.0, 6.0, 1.0, 0.0, -24.0, -math.inf)
COLUMNS = (">7 d", "3-7 d", "1-3 d", "6-24 h", "1-6 h", "<1 h", "late\n≤1 d", "late\n>1 d")
STYLE = Path(__file__).with_name("report.css").read_text("utf-8")
POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def page(report: ClassReport, made: datetime) -> str:
    """The whole page. Everything that students wrote or chose is escaped."""
    title = f"{report.title}: class report"
    sections = [
        _scores(report),
        _items(report.items),
        _losses(report),
        _times(report.hours),
        _similar(report.pairs),
        _met(report),
    ]
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        f"<h1>{escape(title)}</h1>\n"
        f'<p class="soft"><code>{escape(report.assignment)}</code>, {made:%d %B %Y, %H:%M}</p>\n'
        '<p class="private">For the teaching staff only: it names students. Delete it when it has '
        "served.</p>\n" + "\n".join(sections) + "\n</body>\n</html>\n"
    )


def _section(title: str, *parts: str) -> str:
    return f"<section>\n<h2>{escape(title)}</h2>\n" + "\n".join(parts) + "\n</section>"


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]], numbers: set[int]) -> str:
    """Cells are HTML already; columns in `numbers` are set to the right."""
    kind = [' class="n"' if index in numbers else "" for index in range(len(headings))]
    head = "".join(
        f'<th scope="col"{each}>{heading}</th>'
        for each, heading in zip(kind, headings, strict=True)
    )
    lines = (
        "<tr>" + "".join(f"<td{k}>{v}</td>" for k, v in zip(kind, row, strict=True)) + "</tr>"
        for row in rows
    )
    return (
        f'<div class="wide"><table><thead><tr>{head}</tr></thead>\n<tbody>\n'
        + "\n".join(lines)
        + "\n</tbody></table></div>"
    )


def _scores(report: ClassReport) -> str:
    if not report.scores:
        return _section("Scores", "<p>Nobody handed in a notebook that could be graded.</p>")
    counts = [0] * 10
    for score in report.scores:
        counts[min(9, int(10 * score / report.max_score + 1e-9))] += 1
    labels = [str(10 * i) for i in range(10)]
    figures = report.summary
    kind = "by machine and by hand" if report.counts_hand else "by machine"
    waiting = f" {report.waiting} have points that wait for a person." if report.waiting else ""
    if left_out := sum(map(len, report.others.values())):
        waiting += f" Not counted: {left_out} without a notebook that could be graded (below)."
    return _section(
        "Scores",
        f"<p>{len(report.scores)} students, points {kind}, of {report.max_score:g}: "
        f"mean {figures['mean']:.1f}, median {figures['median']:.1f}, "
        f"standard deviation {figures['sd']:.1f}.{waiting}</p>",
        f"<figure>{bars('Students by score in percent', labels, counts)}"
        '<figcaption class="soft">Students by score in percent; 70 is for 70 to below 80, the last '
        "column for 90 to 100.</figcaption>"
        "</figure>",
    )


def _items(items: list[Item]) -> str:
    students = max((item.students for item in items), default=0)
    if students < MIN_CLASS:
        said = (
            f"Discrimination is not given: {students} students are too few ({MIN_CLASS} are the "
            "least)."
        )
    else:
        said = (
            "The last column is discrimination: the correlation r between an exercise and the sum "
            "of all others, with its 95 % interval. Near 0 or below: those who do well elsewhere "
            "do not do better here, so look whether its text or its tests are at fault. A dash: "
            "all are alike, or too few are decided."
        )
    rows = [
        (
            _name(item.name) + (" by hand" if item.by_hand else ""),
            "–" if item.share is None else f"{meter(item.share)} {item.share:.0%}",
            str(item.full),
            str(item.blank),
            _discrimination(item),
        )
        for item in items
    ]
    headings = ("exercise", "mean share", "full marks", "not begun", "r with the rest")
    return _section(
        "Exercises", _table(headings, rows, {2, 3, 4}), f'<p class="soft">{escape(said)}</p>'
    )


def _name(name: str) -> str:
    """A name that may be broken behind its underscores."""
    return f"<code>{escape(name).replace('_', '_<wbr>')}</code>"


def _discrimination(item: Item) -> str:
    if item.r is None or item.interval is None:
        return "–"
    low, high = item.interval
    kind = ' class="look"' if item.r < 0.1 else ""
    return f'<span{kind}>{item.r:.2f}</span><br><span class="soft">{low:.1f} to {high:.1f}</span>'


def _losses(report: ClassReport) -> str:
    if not report.tests:
        return _section("What cost most", "<p>No hidden test failed.</p>")
    tests = [
        (f"{_name(each.exercise)}: {escape(_words(each.what))}", *_figures(each))
        for each in report.tests[:TOP_LOSSES]
    ]
    messages = [
        (f"{_with_code(each.what)} {_name(each.exercise)}", *_figures(each))
        for each in report.messages[:TOP_LOSSES]
    ]
    return _section(
        "What cost most",
        "<h3>Hidden tests</h3>",
        _table(("test", "students", "points"), tests, {1, 2}),
        "<h3>Mistakes, in the words that students read</h3>",
        _table(("message", "students", "points"), messages, {1, 2}),
        '<p class="soft">Points are those that the class lost there. Exercises that were not begun '
        "are left out of the second table.</p>",
    )


def _figures(loss: Loss) -> tuple[str, str]:
    return str(loss.students), f"{loss.points:.1f}"


def _words(name: str) -> str:
    return name.removeprefix("test_").replace("_", " ")


def _with_code(text: str) -> str:
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text)) or "(no message)"


def _times(hours: list[float]) -> str:
    if not hours:
        return _section("Time of submission", "<p>No submission carries a time.</p>")
    counts = [0] * len(EDGES)
    for each in hours:
        counts[next(i for i, edge in enumerate(EDGES) if each >= edge)] += 1
    late = [label.startswith("late") for label in COLUMNS]
    return _section(
        "Time of submission",
        f"<figure>{bars('Students by time before their deadline', COLUMNS, counts, late)}"
        '<figcaption class="soft">Students by the time between their last submission and their '
        "deadline, extensions included.</figcaption></figure>",
    )


def _similar(pairs: list[Pair]) -> str:
    if not pairs:
        return _section("Similar submissions", "<p>None that share more than others do.</p>")
    more = f" {len(pairs) - TOP_PAIRS} more are not shown." if len(pairs) > TOP_PAIRS else ""
    return _section(
        "Similar submissions",
        f"<p><strong>Similarity is no proof.</strong> These {len(pairs)} pairs share passages that "
        "few others have, whatever their names for things. Released code, the model answers and "
        "what many wrote are left out. Two people may have learned together, or asked the same "
        f"assistant: read both, and ask them.{more}</p>",
        *map(_pair, pairs[:TOP_PAIRS]),
    )


def _pair(pair: Pair) -> str:
    parts = ", ".join(f"{escape(each.part)} ({each.tokens})" for each in pair.passages)
    first, second = map(escape, pair.students)
    return (
        f"<details><summary><strong>{first}</strong> and <strong>{second}</strong>: {pair.tokens} "
        f"tokens, {pair.share:.0%} of what is particular to one of them. {parts}</summary>\n"
        + "\n".join(_passage(pair, each) for each in pair.passages[:TOP_PASSAGES])
        + "</details>"
    )


def _passage(pair: Pair, passage: Passage) -> str:
    sides = "".join(
        f'<div><p class="soft">{escape(student)}</p><pre>{extract(source, ranges)}</pre></div>'
        for student, source, ranges in zip(
            pair.students, passage.sources, passage.ranges, strict=True
        )
    )
    return f'<h3>{escape(passage.part)}</h3><div class="two">{sides}</div>'


def extract(source: str, ranges: list[tuple[int, int]]) -> str:
    """The lines around the shared passages, these marked, as HTML."""
    start = source.rfind("\n", 0, ranges[0][0]) + 1
    end = source.find("\n", ranges[-1][1])
    end = len(source) if end < 0 else end
    parts, place = [], start
    for first, last in ranges:
        parts += [escape(source[place:first]), f"<mark>{escape(source[first:last])}</mark>"]
        place = last
    lines = "".join([*parts, escape(source[place:end])]).split("\n")
    if len(lines) <= MAX_LINES:
        return "\n".join(lines)
    kept = "\n".join(lines[:MAX_LINES])
    open_mark = kept.count("<mark>") > kept.count("</mark>")
    return kept + ("</mark>" if open_mark else "") + "\n..."


def _met(report: ClassReport) -> str:
    rows = [
        (escape(title), str(len(students)), ", ".join(map(escape, students)))
        for title, students in [*report.others.items(), *report.incidents.items()]
    ]
    if not rows:
        return _section("What the grader met", "<p>Nothing unusual.</p>")
    return _section(
        "What the grader met",
        _table(("what", "students", "who"), rows, {1}),
        '<p class="soft">docs/incidents.md says what each of these means.</p>',
    )
