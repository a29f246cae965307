"""Reads a cell as IPython does, without looking at every token of what is plain Python."""

from __future__ import annotations

import ast

from IPython.core.inputtransformer2 import TransformerManager


class CellTransformer(TransformerManager):
    """IPython's, with the same result.

    What it looks for among the tokens (`%` or `!` behind `=`, a line that begins with `%`, `!`,
    `?`, `/`, `,` or `;`, a `?` at the end of one) never is in code that Python can read.
    """

    def do_one_token_transform(self, lines: list[str]) -> tuple[bool, list[str]]:
        if _is_python(lines):
            return False, lines
        return super().do_one_token_transform(lines)


def _is_python(lines: list[str]) -> bool:
    """Whether Python can read it, and sees the same lines in it, none of which goes on."""
    if not all(line.endswith("\n") for line in lines[:-1]):
        return False
    if any(line.rstrip("\r\n").endswith("\\") for line in lines):
        return False
    try:
        ast.parse("".join(lines))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True
