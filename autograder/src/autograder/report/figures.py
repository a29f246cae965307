"""Bar charts as inline SVG, 360 units wide: readable on a phone, and by who cannot see them."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

# Of Okabe and Ito's palette, which people with colour-blindness tell apart.
BLUE, ORANGE = "#0072B2", "#D55E00"
WIDTH, TOP, ROOM, LINE = 360, 18, 120, 13


def bars(
    title: str, labels: Sequence[str], counts: Sequence[int], marked: Sequence[bool] | None = None
) -> str:
    """A column for every label, its count above it; marked ones in orange.

    The description lists all counts, since it is what a screen reader says.
    """
    said = ", ".join(f"{label}: {count}" for label, count in zip(labels, counts, strict=True))
    tallest = max(1, *counts)
    step, ground = WIDTH / len(counts), TOP + ROOM
    parts = []
    for index, (label, count) in enumerate(zip(labels, counts, strict=True)):
        height = ROOM * count / tallest
        x, y = index * step, ground - height
        colour = ORANGE if marked and marked[index] else BLUE
        middle = x + step / 2
        parts.append(
            f'<rect x="{x + 2:.1f}" y="{y:.1f}" width="{step - 4:.1f}" height="{height:.1f}" '
            f'fill="{colour}"/>'
        )
        if count:
            parts.append(f'<text x="{middle:.1f}" y="{y - 4:.1f}">{count}</text>')
        for line, text in enumerate(label.split("\n")):
            below = ground + LINE * (line + 1)
            parts.append(f'<text x="{middle:.1f}" y="{below}">{escape(text)}</text>')
    below = LINE * (1 + max(label.count("\n") for label in labels))
    return (
        f'<svg role="img" viewBox="0 0 {WIDTH} {ground + below + 6}">'
        f"<title>{escape(title)}</title><desc>{escape(said)}</desc>"
        f'<line x1="0" y1="{ground}" x2="{WIDTH}" y2="{ground}"/>{"".join(parts)}</svg>'
    )


def meter(share: float) -> str:
    """A share of 1 as a small bar; the number stands beside it."""
    return (
        '<svg class="meter" aria-hidden="true" viewBox="0 0 60 10">'
        f'<rect width="60" height="10" fill="#e3e6e9"/>'
        f'<rect width="{60 * share:.1f}" height="10" fill="{BLUE}"/></svg>'
    )
