"""The syntax of cells, which is read for more than one reason, and in every notebook of a class."""

from __future__ import annotations

import ast
from functools import lru_cache

KEPT = 256


@lru_cache(KEPT)
def parse(source: str) -> ast.Module:
    """The tree of a cell, not to be changed; raises what `ast.parse` raises."""
    return ast.parse(source)


@lru_cache(KEPT)
def nodes(source: str) -> tuple[ast.AST, ...]:
    """All nodes of a cell, outer ones first; none of a cell that is not Python."""
    try:
        return tuple(ast.walk(parse(source)))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ()
