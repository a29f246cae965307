"""Widgets of the KV-cache notebook: the square of scores, and paged blocks to play with."""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import Any

import ipywidgets as widgets
from IPython.display import display

from sft2rl.style import COLOURS

_CELL = "width:24px;height:24px;text-align:center;border:1px solid #bbb;font:12px monospace;"
_KINDS = {
    "new": ("n", COLOURS["blue"], "white", "computed for the first time"),
    "again": ("r", COLOURS["orange"], "black", "computed again"),
    "masked": ("m", "#dddddd", "black", "computed, then masked"),
    "none": ("", "white", "black", "not computed at this step"),
}


def score_grid(n_steps: int) -> None:
    """The scores that one decoding step computes, without and with a cache.

    Args:
        n_steps: length of the longest text, the side of the square.
    """
    step = widgets.IntSlider(4, 1, n_steps, description="step t")
    cached = widgets.ToggleButtons(options=[("no cache", False), ("with cache", True)])
    picture = widgets.HTML()

    def draw(_: Any = None) -> None:
        t = step.value
        kinds = [
            [_score_kind(i, j, t, cached.value) for j in range(n_steps)] for i in range(n_steps)
        ]
        picture.value = _legend() + _grid(kinds) + _summary(sum(kinds, []))

    step.observe(draw, "value")
    cached.observe(draw, "value")
    draw()
    display(widgets.VBox([widgets.HBox([step, cached]), picture]))


def _score_kind(i: int, j: int, t: int, cached: bool) -> str:
    """What step t does with the score of query i and key j (both counted from 0)."""
    if i >= t or j >= t or (cached and i < t - 1):
        return "none"
    if j > i:
        return "masked"
    return "new" if i == t - 1 else "again"


def _legend() -> str:
    parts = [
        f'<span style="background:{colour};color:{ink};padding:1px 6px">{letter}</span> {text}'
        for letter, colour, ink, text in _KINDS.values()
        if letter
    ]
    return f"<p>{' &nbsp; '.join(parts)} &nbsp; (rows: queries, columns: keys)</p>"


def _grid(kinds: list[list[str]]) -> str:
    def cell(kind: str) -> str:
        letter, colour, ink, _ = _KINDS[kind]
        return f'<td style="{_CELL}background:{colour};color:{ink}">{letter}</td>'

    rows = "".join(f"<tr>{''.join(map(cell, row))}</tr>" for row in kinds)
    return f'<table style="border-collapse:collapse">{rows}</table>'


def _summary(kinds: list[str]) -> str:
    new, computed = kinds.count("new"), len(kinds) - kinds.count("none")
    return f"<p>This step computes <b>{computed}</b> scores; <b>{new}</b> of them are new.</p>"


def paged_blocks(allocator: Callable[..., Any], n_blocks: int = 8, block_size: int = 4) -> None:
    """Buttons around a student's block allocator, and a picture of its pool.

    Args:
        allocator: the class; `allocator(n_blocks, block_size)` makes a pool.
        n_blocks: blocks in the pool.
        block_size: slots per block.
    """
    display(_PagedBlocks(allocator, n_blocks, block_size).box)


class _PagedBlocks:
    def __init__(self, allocator: Callable[..., Any], n_blocks: int, block_size: int):
        self.make = lambda: allocator(n_blocks, block_size)
        self.n_blocks, self.block_size = n_blocks, block_size
        self.chosen = widgets.Dropdown(options=[], description="sequence")
        self.picture, self.line = widgets.HTML(), widgets.HTML()
        actions = {
            "next step": self._next,
            "allocate 6": self._allocate,
            "append": lambda: self._append(self.chosen.value),
            "fork": lambda: self._fork(self.chosen.value),
            "free": lambda: self._free(self.chosen.value),
        }
        buttons = [self._button(text, action) for text, action in actions.items()]
        buttons[0].button_style = "primary"
        again = widgets.Button(description="start again", layout=widgets.Layout(width="auto"))
        again.on_click(lambda _: self._reset())
        self._reset()
        row = widgets.HBox([self.chosen, *buttons, again], layout=_WRAP)
        self.box = widgets.VBox([row, self.line, self.picture])

    def _button(self, text: str, action: Callable[[], str]) -> widgets.Button:
        button = widgets.Button(description=text, layout=widgets.Layout(width="auto"))

        def click(_: Any) -> None:
            before = self.pool.n_free()
            try:
                said = action()
            except MemoryError:
                said = "MemoryError: no block is free. Nothing has changed; free a sequence."
            except NotImplementedError:
                said = "Your BlockAllocator is not finished yet: this method is still a stub."
            taken = before - self.pool.n_free()
            if taken > 0:
                said += f" Blocks taken: {taken}."
            elif taken < 0:
                said += f" Blocks given back: {-taken}."
            self._show(said)

        button.on_click(click)
        return button

    def _reset(self) -> None:
        self.pool, self.steps = self.make(), iter(_STORY)
        self.names: dict[str, int] = {}
        self.letters, self.tokens = iter("ABCDEFGHIJKLMNOPQRSTUVWXYZ"), 0
        self._show("An empty pool. Press “next step” for the story, or go your own way.")

    def _next(self) -> str:
        step = next(self.steps, None)
        if step is None:
            return "The story is over. Go on as you like, or start again."
        method, name = step
        if name and name not in self.names:
            return f"The story wants sequence {name}, which you have freed: start again."
        return getattr(self, method)(*([name] if name else []))

    def _allocate(self) -> str:
        tokens = [self._token() for _ in range(6)]
        return f"{self._named(self.pool.allocate(tokens))} = allocate({len(tokens)} tokens)."

    def _fork(self, name: str | None) -> str:
        if name is None:
            return "There is no sequence to fork."
        new = self._named(self.pool.fork(self.names[name]))
        return f"{new} = fork({name}): the table is copied, the blocks are shared."

    def _append(self, name: str | None) -> str:
        if name is None:
            return "There is no sequence to append to."
        seq = self.names[name]
        before = self.pool.table(seq)
        self.pool.append(seq, self._token())
        after = self.pool.table(seq)
        if len(after) > len(before):
            return f"append({name}): the last block was full (or there was none)."
        if after != before:
            return f"append({name}): block {before[-1]} is shared, so it was copied first."
        return f"append({name}): in place."

    def _free(self, name: str | None) -> str:
        if name is None:
            return "There is no sequence to free."
        self.pool.free(self.names[name])
        del self.names[name]
        return f"free({name})."

    def _named(self, seq: int) -> str:
        name = next(self.letters, f"S{seq}")
        self.names[name] = seq
        return name

    def _token(self) -> str:
        self.tokens += 1
        return f"t{self.tokens}"

    def _show(self, said: str) -> None:
        chosen = self.chosen.value
        self.chosen.options = list(self.names)
        self.chosen.value = chosen if chosen in self.names else next(iter(self.names), None)
        free = f"{self.pool.n_free()} of {self.n_blocks} blocks are free."
        self.line.value = f"<p>{html.escape(said)} <b>{free}</b></p>"
        tables = {name: self.pool.table(seq) for name, seq in self.names.items()}
        contents = self._contents(tables)
        blocks = "".join(
            self._block(block, tables, contents.get(block, [])) for block in range(self.n_blocks)
        )
        lines = "".join(
            f"<li>{name}: table {tables[name]}, "
            f"tokens {html.escape(' '.join(map(str, self.pool.read(seq))))}</li>"
            for name, seq in self.names.items()
        )
        pool = f'<div style="display:flex;flex-wrap:wrap">{blocks}</div>'
        self.picture.value = f"{pool}<ul>{lines}</ul>"

    def _contents(self, tables: dict[str, list[int]]) -> dict[int, list[Any]]:
        """Tokens by block, as the sequences read them."""
        contents: dict[int, list[Any]] = {}
        size = self.block_size
        for name, table in tables.items():
            tokens = self.pool.read(self.names[name])
            for index, block in enumerate(table):
                part = tokens[index * size : (index + 1) * size]
                contents[block] = max(contents.get(block, []), part, key=len)
        return contents

    def _block(self, block: int, tables: dict[str, list[int]], tokens: list[Any]) -> str:
        count = self.pool.ref_count(block)
        owners = "".join(name for name, table in tables.items() if block in table)
        frame = f"{min(count, 3) + 1}px solid {COLOURS['red'] if count > 1 else '#999'}"
        fill = COLOURS["sky"] if count else "#f4f4f4"
        slots = tokens + [""] * (self.block_size - len(tokens))
        cells = "".join(
            f'<td style="{_CELL}width:34px;background:{fill if slot else "white"}">'
            f"{html.escape(str(slot))}</td>"
            for slot in slots
        )
        head = f"block {block} · count {count}{' · ' + owners if owners else ' · free'}"
        return (
            f'<div style="margin:4px;padding:3px;border:{frame}"><small>{head}</small>'
            f"<table><tr>{cells}</tr></table></div>"
        )


_STORY = (
    ("_allocate", ""),
    ("_fork", "A"),
    ("_append", "B"),
    ("_append", "A"),
    ("_fork", "B"),
    ("_append", "C"),
    ("_append", "B"),
    ("_append", "B"),
    ("_free", "A"),
    ("_free", "B"),
)
_WRAP = widgets.Layout(flex_flow="row wrap")
