"""Formulas in Markdown as MathML, which browsers set by themselves: no script, no server, no font.

nbconvert leaves TeX in the page for MathJax to find. Here a formula is a mark while its Markdown is
made into HTML and cleaned, and the mark becomes MathML afterwards; so MathML is the only thing in
the page that the cleaner has not seen, and it holds what is listed below and nothing else.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from html import escape, unescape
from itertools import pairwise
from xml.etree import ElementTree

from latex2mathml.converter import convert_to_element
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

# Private characters around a formula's number. Whoever writes them gets one of their own formulas.
BEGIN, END = "\ue000", "\ue001"
THIN = "\N{THIN SPACE}"
LONGEST = 2000
ELEMENTS = frozenset(
    "math mrow mi mo mn mtext mspace mfrac msqrt mroot msub msup msubsup mover munder munderover "
    "mtable mtr mtd mstyle".split()
)
# No colours, links, styles, or lengths but of spaces: a formula stays in its place.
ATTRIBUTES = {
    "display": r"block|inline",
    "displaystyle": r"true|false",
    "scriptlevel": r"\d",
    "stretchy": r"true|false",
    "fence": r"true|false",
    "accent": r"true|false",
    "movablelimits": r"true|false",
    "form": r"prefix|infix|postfix",
    "minsize": r"[0-3](\.\d+)?em",
    "maxsize": r"[0-3](\.\d+)?em",
    "width": r"[0-3](\.\d+)?em",
    "columnalign": r"left|center|right",
    "mathvariant": r"normal",
}


class _Marks(IPythonRenderer):
    """Puts a mark in the place of each formula, and keeps the formulas."""

    def __init__(self) -> None:
        super().__init__(escape=False, exclude_anchor_links=True)
        self.formulas: list[tuple[str, bool]] = []

    def block_math(self, body: str) -> str:
        return self._mark(body, display=True)

    def inline_math(self, body: str) -> str:
        return self._mark(body, display=False)

    def latex_environment(self, name: str, body: str) -> str:
        return self._mark(rf"\begin{{{name}}}{body}\end{{{name}}}", display=True)

    def _mark(self, tex: str, display: bool) -> str:
        self.formulas.append((tex.strip(), display))
        return f"{BEGIN}{len(self.formulas) - 1}{END}"


def to_html(source: str) -> tuple[str, list[tuple[str, bool]]]:
    """Markdown as HTML with marks, and the formulas: TeX, and whether it stands by itself."""
    marks = _Marks()
    return MarkdownWithMath(renderer=marks).render(source), marks.formulas


def put_in(html: str, formulas: list[tuple[str, bool]]) -> str:
    """Cleaned HTML with MathML for marks. They must stand in text, not in attributes."""

    def formula(mark: re.Match[str]) -> str:
        number = int(mark[1])
        return mathml(*formulas[number]) if number < len(formulas) else ""

    return re.sub(f"{BEGIN}([0-9]{{1,6}}){END}", formula, html)


@lru_cache(4096)
def mathml(tex: str, display: bool) -> str:
    """TeX as MathML; as text, where it is too long or not understood."""
    try:
        if len(tex) > LONGEST:
            raise ValueError("too long")
        root = convert_to_element(tex, display="block" if display else "inline")
        _keep_what_is_known(root)
        return ElementTree.tostring(root, "unicode")
    except Exception:  # the library raises errors of many kinds, on TeX that anybody may write
        return f"<code>{escape(tex)}</code>"


def _keep_what_is_known(root: ElementTree.Element) -> None:
    for element in root.iter():
        if element.tag not in ELEMENTS:
            raise ValueError(element.tag)
        # The library writes characters as entities, for a page to be pasted into.
        text = unescape(element.text or "")
        if text == "~":  # \sim: not an accent, and a relation
            element.tag, text = "mo", "\N{TILDE OPERATOR}"
        element.text = _in_variant(text, element.get("mathvariant", ""))
        element.attrib = {
            name: value
            for name, value in element.attrib.items()
            if re.fullmatch(ATTRIBUTES.get(name, "(?!)"), value)
        }
    for row in root.iter():
        if row.tag in ("math", "mrow", "mtd"):
            _space_functions(row)


def _space_functions(row: ElementTree.Element) -> None:
    """A thin space between `sin` and its neighbours, unless they are operators or brackets."""
    for left, right in pairwise(row):
        if left.tag == "mi" and len(left.text or "") > 1 and right.tag != "mo":
            left.text = f"{left.text}{THIN}"
        elif right.tag == "mi" and len(right.text or "") > 1 and left.tag != "mo":
            right.text = f"{THIN}{right.text}"


def _in_variant(text: str, variant: str) -> str:
    """Letters as the characters of Unicode that browsers show for `mathvariant`."""
    words = variant.upper().replace("-", " ").replace("DOUBLE STRUCK", "DOUBLE-STRUCK")
    return "".join(_letter(each, words) for each in text) if words != "NORMAL" else text


def _letter(letter: str, variant: str) -> str:
    name = unicodedata.name(letter, "").removeprefix("LATIN ").replace("LETTER ", "")
    for wanted in (f"MATHEMATICAL {variant} {name}", f"{variant} {name}"):
        try:
            return unicodedata.lookup(wanted)
        except KeyError:
            continue
    return letter
