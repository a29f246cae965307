"""Finds uses of forbidden libraries and functions in a solution cell."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from functools import lru_cache

from autograder.parsed import nodes


def forbidden_uses(
    source: str, notebook: Sequence[str], banned: Sequence[str]
) -> Iterator[tuple[int, str]]:
    """Yield (line, dotted name) for every use of a banned dotted name in `source`.

    It is evidence for a reader, not proof: names that are built at run time are not found.

    Args:
        source: the solution cell.
        notebook: all cells, whose imports give names their meaning.
        banned: dotted names of modules or functions, such as "torch.optim".
    """
    aliases = _aliases(tuple(notebook))
    for node in nodes(source):
        names = [_dotted(node, aliases)] if isinstance(node, ast.Attribute | ast.Name) else []
        names += imported(node).values()
        for name in names:
            if any(name == ban or name.startswith(ban + ".") for ban in banned):
                yield getattr(node, "lineno", 0), name


@lru_cache(1)  # the same for every exercise of a submission
def _aliases(notebook: tuple[str, ...]) -> dict[str, str]:
    """What the names that a notebook imports stand for."""
    aliases: dict[str, str] = {}
    for each in notebook:
        for node in nodes(each):
            aliases.update(imported(node))
    return aliases


def imported(node: ast.AST) -> dict[str, str]:
    """What the names that an import binds stand for; nothing for any other node."""
    if isinstance(node, ast.Import):
        return {
            alias.asname or alias.name.split(".")[0]: (
                alias.name if alias.asname else alias.name.split(".")[0]
            )
            for alias in node.names
        }
    if isinstance(node, ast.ImportFrom) and node.module:
        return {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    return {}


def _dotted(node: ast.AST, aliases: dict[str, str]) -> str:
    if isinstance(node, ast.Name):
        return aliases.get(node.id, node.id)
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value, aliases)}.{node.attr}"
    return "?"
