"""Passages that two submissions share and few others have: winnowing, as in MOSS.

Schleimer, Wilkerson and Aiken, "Winnowing: local algorithms for document fingerprinting", 2003.
Code becomes tokens in which a student's own names are all alike and comments are left out; prose
becomes words. Every run of K tokens is a fingerprint, of which winnowing keeps enough to find each
common passage of K + WINDOW - 1 tokens. What the release or the model answer contains says nothing
about copying, nor does what many students wrote: a short exercise has one natural solution.

The lexer is Pygments', which reads code that is no Python, too. The package copydetect does much
the same, but hashes with a seed that changes with every run, and keeps only names' positions: the
same class would get another report each time.
"""

from __future__ import annotations

import ast
import builtins
import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations

from pygments import token as kinds
from pygments.lexers import PythonLexer

K, WINDOW = 12, 4
# A fingerprint that more students share than this is the exercise's, not a student's.
FEW, MANY = 3, 10
MIN_TOKENS, MIN_SHARE = 40, 0.3
# Of one part: whoever hands in more is not compared beyond, and delays nobody's report.
MAX_CHARS = 30_000
KEPT_NAMES = frozenset(dir(builtins))

Token = tuple[str, int, int]


@dataclass(frozen=True)
class Text:
    """One cell, or all cells of one kind, of a student."""

    source: str
    prose: bool = False


@dataclass(frozen=True)
class Passage:
    """What a pair shares in one part: both sources, with the shared characters as ranges."""

    part: str
    tokens: int
    sources: tuple[str, str]
    ranges: tuple[list[tuple[int, int]], list[tuple[int, int]]]


@dataclass(frozen=True)
class Pair:
    """Two submissions that share what few others have.

    Attributes:
        tokens: how many tokens they share.
        share: these, as a part of what is particular to the one of the two that has less of it.
        passages: by part, the longest first.
    """

    students: tuple[str, str]
    tokens: int
    share: float
    passages: tuple[Passage, ...]


class Document:
    """A text's tokens, and where its fingerprints begin."""

    def __init__(self, text: Text, known: frozenset[str]) -> None:
        self.source = source = text.source[:MAX_CHARS]
        self.tokens = words(source) if text.prose else code(source, known)
        self.all = fingerprints([each[0] for each in self.tokens])
        self.places: dict[bytes, list[int]] = defaultdict(list)
        for place in winnow(self.all):
            self.places[self.all[place]].append(place)

    def covered(self, wanted: Iterable[bytes]) -> set[int]:
        """Indices of the tokens that lie in these fingerprints."""
        starts = (start for each in wanted for start in self.places.get(each, ()))
        return {start + offset for start in starts for offset in range(K)}

    def ranges(self, covered: set[int]) -> list[tuple[int, int]]:
        """The characters of these tokens, neighbouring tokens together."""
        found: list[tuple[int, int]] = []
        previous = -2
        for index in sorted(covered):
            _, start, end = self.tokens[index]
            if index == previous + 1:
                found[-1] = found[-1][0], end
            else:
                found.append((start, end))
            previous = index
        return found


def code(source: str, known: frozenset[str]) -> list[Token]:
    """Python as tokens; names that are not `known`, built in, or behind a dot become "V"."""
    found: list[Token] = []
    for start, kind, text in PythonLexer().get_tokens_unprocessed(source):
        if kind in kinds.Text or kind in kinds.Comment or kind in kinds.String.Doc:
            continue
        end = start + len(text)
        if kind in kinds.String:
            if found and found[-1][0] == "S" and found[-1][2] == start:
                found[-1] = "S", found[-1][1], end
                continue
            text = "S"
        elif kind in kinds.Name and not _is_known(text, known, found):
            text = "V"
        found.append((text, start, end))
    return found


def _is_known(name: str, known: frozenset[str], before: list[Token]) -> bool:
    return name in known or name in KEPT_NAMES or bool(before and before[-1][0] == ".")


def words(source: str) -> list[Token]:
    """Prose as words in lower case."""
    return [(m[0].lower(), m.start(), m.end()) for m in re.finditer(r"\w+", source)]


def fingerprints(tokens: list[str]) -> list[bytes]:
    """A hash of every run of K tokens; the same in every process."""
    runs = ("\0".join(tokens[i : i + K]) for i in range(len(tokens) - K + 1))
    return [
        hashlib.blake2b(run.encode("utf-8", "surrogatepass"), digest_size=8).digest()
        for run in runs
    ]


def winnow(hashes: list[bytes]) -> list[int]:
    """The place of the smallest hash in every window, the last of equal ones."""
    chosen = set()
    for start in range(max(1, len(hashes) - WINDOW + 1) if hashes else 0):
        window = range(start, min(start + WINDOW, len(hashes)))
        chosen.add(min(window, key=lambda place: (hashes[place], -place)))
    return sorted(chosen)


def shared_names(source: str) -> set[str]:
    """What a cell of ours defines or imports for all cells that follow."""
    try:
        tree = ast.parse(source)
    except SyntaxError:  # a magic
        return set()
    names = set()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names |= {(each.asname or each.name).split(".")[0] for each in node.names}
        elif isinstance(node, ast.Assign):
            names |= {each.id for each in node.targets if isinstance(each, ast.Name)}
    return names


def pairs(
    submissions: Mapping[str, Mapping[str, Text]], ours: Mapping[str, list[Text]]
) -> list[Pair]:
    """The pairs that share enough to be looked at, those with most in common first.

    Args:
        submissions: the texts of each student, by part (an exercise, a written answer).
        ours: texts of the release and of the model answers, by part.
    """
    texts = [text for part in ours.values() for text in part]
    known = frozenset().union(*(shared_names(text.source) for text in texts if not text.prose))
    excluded = {each for text in texts for each in Document(text, known).all}
    documents = {
        student: {part: Document(text, known) for part, text in parts.items()}
        for student, parts in submissions.items()
    }
    marks = {
        student: {mark for each in parts.values() for mark in each.places} - excluded
        for student, parts in documents.items()
    }
    owners: dict[bytes, list[str]] = defaultdict(list)
    for student, own in marks.items():
        for mark in own:
            owners[mark].append(student)
    limit = max(FEW, min(MANY, len(submissions) // 10))
    particular = {
        student: {mark for mark in own if len(owners[mark]) <= limit}
        for student, own in marks.items()
    }
    common = Counter(
        pair
        for students in owners.values()
        if 1 < len(students) <= limit
        for pair in combinations(sorted(students), 2)
    )
    found = [
        _pair(pair, [documents[each] for each in pair], [particular[each] for each in pair])
        for pair in common
    ]
    wanted = [each for each in found if each.tokens >= MIN_TOKENS and each.share >= MIN_SHARE]
    return sorted(wanted, key=lambda each: (-each.tokens, each.students))


def _pair(
    students: tuple[str, str],
    documents: list[dict[str, Document]],
    particular: list[set[bytes]],
) -> Pair:
    first, second = documents
    shared = particular[0] & particular[1]
    passages = []
    for part in first:
        if part in second and (
            both := shared & first[part].places.keys() & second[part].places.keys()
        ):
            covered = first[part].covered(both), second[part].covered(both)
            passages.append(
                Passage(
                    part,
                    min(map(len, covered)),
                    (first[part].source, second[part].source),
                    (first[part].ranges(covered[0]), second[part].ranges(covered[1])),
                )
            )
    tokens = sum(each.tokens for each in passages)
    own = [
        sum(len(each.covered(marks)) for each in parts.values())
        for parts, marks in zip(documents, particular, strict=True)
    ]
    passages.sort(key=lambda each: (-each.tokens, each.part))
    return Pair(students, tokens, tokens / max(1, min(own)), tuple(passages))
