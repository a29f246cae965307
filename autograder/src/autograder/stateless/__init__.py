"""Proves, from their text, that the functions of a notebook keep nothing from one call to the next.

What such a function answers does not depend on what was called before it: a test that it passes
after other tests, it passes alone. So its tests may share a process (grading.py).
This is a proof or nothing: what is not known to keep nothing counts as something that might.

State needs a place that outlives a call: a global variable, an attribute of a function, a class or
a module, a default value, a file, a setting of a library, memory that was never initialised. So a
function may read globals that never change, call functions that keep nothing, and change what it
made itself or was given. Arguments are new for every call (worker/wire.py), and random generators
are seeded before it (worker/session.py). Which names of libraries are allowed: `harmless.py`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from autograder.stateless.notebook import Notebook
from autograder.stateless.syntax import Kept

# Reading takes long where many scopes have many names.
MAX_CELL_CHARS, MAX_CHARS = 20_000, 100_000


def state_kept(cells: Sequence[str], ours: Collection[str], called: Iterable[str]) -> str:
    """Why functions of a notebook might keep state; "" where it is proved that they do not.

    Args:
        cells: the sources of the code cells that run.
        ours: the sources of the released ones. What these do when they run is trusted; the
            functions that they define are not.
        called: the functions that tests will call.
    """
    students = [source for source in cells if source not in ours]
    longest = max(map(len, students), default=0)
    if longest > MAX_CELL_CHARS or sum(map(len, students)) > MAX_CHARS:
        return "it is too long to be read"
    try:
        Notebook(cells, ours).prove(called)
    except Kept as kept:
        return str(kept)
    except Exception as error:  # IPython fails at some cells with others than SyntaxError
        return f"it cannot be read ({type(error).__name__})"
    return ""
