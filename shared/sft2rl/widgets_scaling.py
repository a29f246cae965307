"""The widget of assignment 06: a ring all-reduce, step by step."""

from __future__ import annotations

import ipywidgets as widgets
from IPython.display import display

from sft2rl.style import COLOURS

# From "only my own" to "all of them": light to dark.
_PART, _MOVED, _DONE = "#eef5fa", COLOURS["yellow"], COLOURS["sky"]


def ring(n_ranks: int = 4) -> None:
    """Show a ring all-reduce with buttons to step through it.

    Args:
        n_ranks: number of ranks at the start, 2 to 6.
    """
    display(Ring(n_ranks).box)


class Ring:
    """The state: which ranks' contributions every rank holds of every chunk.

    Attributes:
        holds: holds[rank][chunk], a set of ranks.
        step: how many of the 2 (n - 1) steps were made.
        box: the widget.
    """

    def __init__(self, n_ranks: int) -> None:
        self.ranks = widgets.BoundedIntText(value=n_ranks, min=2, max=6, description="ranks N")
        self.ranks.observe(lambda _: self.reset(), names="value")
        self.picture = widgets.HTML()
        step = widgets.Button(description="next step", button_style="primary")
        step.on_click(lambda _: self.advance())
        again = widgets.Button(description="start again")
        again.on_click(lambda _: self.reset())
        self.box = widgets.VBox([widgets.HBox([self.ranks, step, again]), self.picture])
        self.reset()

    def reset(self) -> None:
        """Every rank holds its own contribution to every chunk."""
        n = self.ranks.value
        self.holds = [[{rank} for _ in range(n)] for rank in range(n)]
        self.step = 0
        self._draw(set())

    def advance(self) -> None:
        """Every rank sends one chunk to its right neighbour."""
        n = self.ranks.value
        if self.step == 2 * (n - 1):
            return
        reducing = self.step < n - 1
        moved = {((rank + 1) % n, (rank - self.step) % n) for rank in range(n)}
        sent = {(rank, chunk): self.holds[(rank - 1) % n][chunk] for rank, chunk in moved}
        for (rank, chunk), part in sent.items():
            self.holds[rank][chunk] = part | (self.holds[rank][chunk] if reducing else set())
        self.step += 1
        self._draw(moved)

    def _draw(self, moved: set[tuple[int, int]]) -> None:
        n = self.ranks.value
        head = "".join(f"<th style='padding:2px 8px'>chunk {chunk}</th>" for chunk in range(n))
        rows = "".join(
            f"<tr><th style='padding:2px 8px'>rank {rank}</th>"
            + "".join(self._field(rank, chunk, (rank, chunk) in moved) for chunk in range(n))
            + "</tr>"
            for rank in range(n)
        )
        phase = "reduce-scatter" if self.step < n - 1 else "all-gather"
        if self.step == 2 * (n - 1):
            phase = "done"
        line = (
            f"After step <b>{self.step}</b> of {2 * (n - 1)} · next: {phase} · "
            f"each rank has sent {self.step} chunks of n/{n} bytes = <b>{self.step}/{n} n</b>"
        ).replace("next: done", "done")
        self.picture.value = (
            f"<p>{line}. Yellow: arrived in this step. Blue: complete.</p>"
            f"<table><tr><td></td>{head}</tr>{rows}</table>"
        )

    def _field(self, rank: int, chunk: int, moved: bool) -> str:
        held = self.holds[rank][chunk]
        colour = _DONE if len(held) == self.ranks.value else _PART
        border = f"3px solid {_MOVED}" if moved else "1px solid #999"
        text = "+".join(map(str, sorted(held)))
        return (
            f"<td style='padding:4px 8px;text-align:center;background:{colour};color:black;"
            f"border:{border}'>{text}</td>"
        )
