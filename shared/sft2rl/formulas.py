"""Formulas as plain nested lists, so that a line of a proof can be checked by a machine.

A formula is a number, a name, or a list whose first entry says what to do with the others:

    ["add", a, b, ...]   ["sub", a, b]   ["mul", a, b, ...]   ["div", a, b]
    ["neg", a]           ["log", a]      ["exp", a]

so ln(p/q) is ["log", ["div", "p", "q"]]. Write such a list by hand, or let ordinary arithmetic
build it:

    p, q = symbols("p q")
    log(p / q).tree          # ["log", ["div", "p", "q"]]
    pretty(log(p / q).tree)  # "ln(p / q)"

Nothing here parses text and nothing simplifies: two formulas are compared by their values.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any

MAX_NODES = 100
ARGUMENTS = {"add": None, "mul": None, "sub": 2, "div": 2, "neg": 1, "log": 1, "exp": 1}


class FormulaError(ValueError):
    """The tree is not a formula, or has no value at this point; the message says where."""


class Formula:
    """Arithmetic that writes itself down; `.tree` is the plain nested list."""

    def __init__(self, tree: Any):
        self.tree = tree

    def __add__(self, other: Any) -> Formula:
        return Formula(["add", self.tree, _tree(other)])

    def __radd__(self, other: Any) -> Formula:
        return Formula(["add", _tree(other), self.tree])

    def __sub__(self, other: Any) -> Formula:
        return Formula(["sub", self.tree, _tree(other)])

    def __rsub__(self, other: Any) -> Formula:
        return Formula(["sub", _tree(other), self.tree])

    def __mul__(self, other: Any) -> Formula:
        return Formula(["mul", self.tree, _tree(other)])

    def __rmul__(self, other: Any) -> Formula:
        return Formula(["mul", _tree(other), self.tree])

    def __truediv__(self, other: Any) -> Formula:
        return Formula(["div", self.tree, _tree(other)])

    def __rtruediv__(self, other: Any) -> Formula:
        return Formula(["div", _tree(other), self.tree])

    def __neg__(self) -> Formula:
        return Formula(["neg", self.tree])

    def __repr__(self) -> str:
        return pretty(self.tree)


def symbols(names: str) -> tuple[Formula, ...]:
    """One Formula per name: `p, q = symbols("p q")`."""
    return tuple(Formula(name) for name in names.split())


def log(x: Any) -> Formula:
    """The natural logarithm of a formula."""
    return Formula(["log", _tree(x)])


def exp(x: Any) -> Formula:
    """The exponential of a formula."""
    return Formula(["exp", _tree(x)])


def validate(tree: Any, names: Collection[str]) -> None:
    """Raise a FormulaError unless `tree` is a formula in `names` of at most MAX_NODES nodes."""
    stack, nodes = [tree], 0
    while stack:
        node, nodes = stack.pop(), nodes + 1
        if nodes > MAX_NODES:
            raise FormulaError(f"the formula has more than {MAX_NODES} parts")
        if isinstance(node, str):
            if node not in names:
                raise FormulaError(f"{node!r} is not one of the names {', '.join(sorted(names))}")
        elif isinstance(node, (list, tuple)):
            stack.extend(_arguments(node))
        elif isinstance(node, bool) or not isinstance(node, (int, float)):
            raise FormulaError(f"a {type(node).__name__} is neither a number, a name nor a list")


def evaluate(tree: Any, values: Mapping[str, float]) -> float:
    """The value of a formula; FormulaError if it is malformed or has no finite value there."""
    validate(tree, values)
    try:
        value = _value(tree, values)
    except (ValueError, ZeroDivisionError, OverflowError) as error:
        raise FormulaError(f"the formula has no value here: {error}") from None
    if not math.isfinite(value):
        raise FormulaError("the formula has no finite value here")
    return value


def pretty(tree: Any) -> str:
    """The formula as one line of mathematics."""
    return _pretty(tree)[0]


def _tree(x: Any) -> Any:
    return x.tree if isinstance(x, Formula) else x


def _arguments(node: list | tuple) -> list:
    if not node or not isinstance(node[0], str) or node[0] not in ARGUMENTS:
        raise FormulaError(f"a list must start with one of {', '.join(ARGUMENTS)}")
    head, *arguments = node
    wanted = ARGUMENTS[head]
    if (len(arguments) < 2) if wanted is None else (len(arguments) != wanted):
        raise FormulaError(f"{head!r} takes {wanted or 'at least 2'} argument(s)")
    return arguments


def _value(node: Any, values: Mapping[str, float]) -> float:
    if isinstance(node, str):
        return float(values[node])
    if not isinstance(node, (list, tuple)):
        return float(node)
    parts = [_value(part, values) for part in node[1:]]
    match node[0]:
        case "add":
            return math.fsum(parts)
        case "mul":
            return math.prod(parts)
        case "sub":
            return parts[0] - parts[1]
        case "div":
            return parts[0] / parts[1]
        case "neg":
            return -parts[0]
        case "log":
            return math.log(parts[0])
        case _:
            return math.exp(parts[0])


# How tightly each kind of expression binds: a looser one inside a tighter one needs brackets.
_SUM, _PRODUCT, _ATOM = 0, 1, 2


def _pretty(node: Any) -> tuple[str, int]:
    if not isinstance(node, (list, tuple)):
        negative = isinstance(node, (int, float)) and node < 0
        return str(node), _SUM if negative else _ATOM
    parts = [_pretty(part) for part in _arguments(node)]
    match node[0]:
        case "add":
            return " + ".join(_bracket(part, _SUM) for part in parts), _SUM
        case "sub":
            return f"{_bracket(parts[0], _SUM)} - {_bracket(parts[1], _PRODUCT)}", _SUM
        case "mul":
            return " * ".join(_bracket(part, _PRODUCT) for part in parts), _PRODUCT
        case "div":
            return f"{_bracket(parts[0], _PRODUCT)} / {_bracket(parts[1], _ATOM)}", _PRODUCT
        case "neg":
            return f"-{_bracket(parts[0], _ATOM)}", _SUM
        case "log":
            return f"ln({parts[0][0]})", _ATOM
        case _:
            return f"exp({parts[0][0]})", _ATOM


def _bracket(part: tuple[str, int], binding: int) -> str:
    text, own = part
    return text if own >= binding else f"({text})"
