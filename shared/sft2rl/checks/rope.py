"""Visible checks of the notebook on rotary positions: hand-made numbers and properties."""

from __future__ import annotations

import math

import torch

from sft2rl.checks import close, fail, passed, visible_check

F64 = torch.float64


@visible_check
def sinusoidal_pe(fn):
    """Three positions at width 6, one pair, and the dot products of distant rows."""
    d = 6
    positions = torch.arange(3, dtype=F64)[:, None]

    def table(exponents, first=torch.sin, second=torch.cos, start=0):
        angles = (positions + start) * torch.tensor([10_000.0**-e for e in exponents], dtype=F64)
        return torch.stack([first(angles), second(angles)], dim=-1).flatten(-2)

    exponents = [0, 2 / 6, 4 / 6]
    want = table(exponents)
    per_column = positions * torch.tensor([10_000.0 ** (-j / d) for j in range(d)], dtype=F64)
    even = torch.arange(d) % 2 == 0
    close(
        fn(3, d),
        want,
        "sinusoidal_pe(3, 6)",
        mistakes={
            "put all sines first and all cosines after them": torch.cat(
                [want[:, 0::2], want[:, 1::2]], dim=-1
            ),
            "swap sine and cosine": table(exponents, torch.cos, torch.sin),
            "count positions from 1": table(exponents, start=1),
            "multiply arange(0, d, 2) by 2 again": table([0, 4 / 6, 8 / 6]),
            "forget the 2 of 2i/d": table([0, 1 / 6, 2 / 6]),
            "divide by d - 2 instead of d": table([0, 2 / 4, 4 / 4]),
            "use the number of the column instead of that of the pair": torch.where(
                even, per_column.sin(), per_column.cos()
            ),
        },
    )
    one = torch.tensor([[0.0, 1.0], [math.sin(1.0), math.cos(1.0)]], dtype=F64)
    close(fn(2, 2), one, "sinusoidal_pe(2, 2), a single pair")
    table = fn(60, 10)
    close(table[7] @ table[12], table[47] @ table[52], "rows 7 and 12 against rows 47 and 52")
    passed("sinusoidal_pe")


@visible_check
def rope_angles(fn):
    """Three positions at width 4, a second base, and one far position."""
    want = torch.tensor([[0.0, 0.0], [1.0, 0.01], [2.0, 0.02]], dtype=F64)
    close(
        fn(3, 4),
        want,
        "rope_angles(3, 4)",
        mistakes={
            "count positions from 1": want + want[1],
            "raise the base to +2i/d_head instead of -2i/d_head": torch.tensor(
                [[0.0, 0.0], [1.0, 100.0], [2.0, 200.0]], dtype=F64
            ),
            "multiply arange(0, d_head, 2) by 2 again": want * want[1],
            "forget the 2 of 2i/d_head": torch.tensor(
                [[0.0, 0.0], [1.0, 0.1], [2.0, 0.2]], dtype=F64
            ),
        },
    )
    want = torch.tensor([[0.0] * 3, [1.0, 64 ** (-1 / 3), 64 ** (-2 / 3)]], dtype=F64)
    close(fn(2, 6, 64.0), want, "rope_angles(2, 6, base=64): frequencies 1, 1/4, 1/16")
    passed("rope_angles")


@visible_check
def apply_rope(fn):
    """Right angles by hand, lengths, heads, angles by row of the batch, dtypes, and the graph."""
    x = torch.tensor([[3.0, 1.0, 2.0, 5.0], [3.0, 1.0, 2.0, 5.0]], dtype=F64)
    before = x.clone()
    angles = torch.tensor([[0.0, 0.0], [math.pi / 2, 0.0]], dtype=F64)
    close(
        fn(x, angles),
        torch.tensor([[3.0, 1.0, 2.0, 5.0], [-1.0, 3.0, 2.0, 5.0]], dtype=F64),
        "row 0 is not turned, row 1 turns pair 0 by a right angle",
        mistakes={
            "turn clockwise": torch.tensor([[3.0, 1, 2, 5], [1, -3, 2, 5]], dtype=F64),
            "pair column i with column i + d_head/2 (half-split layout)": torch.tensor(
                [[3.0, 1, 2, 5], [-2, 1, 3, 5]], dtype=F64
            ),
            "put all first coordinates before all second ones": torch.tensor(
                [[3.0, 2, 1, 5], [-1, 2, 3, 5]], dtype=F64
            ),
            "forget the minus sign": torch.tensor([[3.0, 1, 2, 5], [1, 3, 2, 5]], dtype=F64),
            "swap sine and cosine": torch.tensor([[-1.0, 3, -5, 2], [3, 1, -5, 2]], dtype=F64),
            "use the new x_2i where the formula needs the old one": torch.tensor(
                [[3.0, 1, 2, 5], [-1, -1, 2, 5]], dtype=F64
            ),
        },
    )
    if not torch.equal(x, before):
        fail("apply_rope changed its argument x: build a new tensor instead.")

    generator = torch.Generator().manual_seed(3)
    x = torch.randn(2, 3, 3, 6, dtype=F64, generator=generator)
    angles = torch.rand(3, 3, dtype=F64, generator=generator) * 6
    got = fn(x, angles)
    close(got.norm(dim=-1), x.norm(dim=-1), "a rotation keeps the length of every vector")
    close(got[1, 2], fn(x[1, 2], angles), "batch 1, head 2 of [2, 3, 3, 6], turned on its own")
    per_row = torch.stack([angles, angles + 1])[:, None]
    close(
        fn(x, per_row)[1],
        fn(x[1], angles + 1),
        "angles [batch, 1, L, d_head/2], second row of the batch",
    )
    for dtype in (torch.float32, torch.bfloat16):
        if fn(x.to(dtype), angles).dtype != dtype:
            fail(f"For x in {dtype} the result must be in {dtype}, though the angles are float64.")
    if not fn(x.requires_grad_(), angles).requires_grad:
        fail("The result has lost its graph: stay with torch operations, without detach or numpy.")
    passed("apply_rope")


@visible_check
def rope_scores(fn):
    """One pair in whole radians, equal positions, a shift, a base, positions by row, bfloat16."""
    q = torch.tensor([[1.0, 0.0, 0.0, 0.0]], dtype=F64)
    k = torch.tensor([[0.0, 1.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0]], dtype=F64)
    m, n = torch.tensor([4]), torch.tensor([2, 9, 9])
    sin, cos = math.sin, math.cos
    want = torch.tensor([[sin(2), -sin(5), cos(5)]], dtype=F64)
    close(
        fn(q, k, m, n),
        want,
        "q = (1, 0, 0, 0) at position 4; keys (0, 1, 0, 0) at 2 and at 9, (1, 0, 0, 0) at 9",
        mistakes={
            "use the distance |m - n| without its sign": torch.tensor(
                [[-sin(2), -sin(5), cos(5)]], dtype=F64
            ),
            "turn clockwise, or turn the key by m - n where n - m is due": torch.tensor(
                [[-sin(2), sin(5), cos(5)]], dtype=F64
            ),
            "turn the queries only": torch.tensor([[sin(4), sin(4), cos(4)]], dtype=F64),
            "turn the keys only": torch.tensor([[-sin(2), -sin(9), cos(9)]], dtype=F64),
            "ignore the positions given and use 0, 1, 2, ...": torch.tensor(
                [[0.0, -sin(1), cos(2)]], dtype=F64
            ),
            "divide by sqrt(d_head)": want / 2,
            "pair column i with column i + d_head/2 (half-split layout)": torch.tensor(
                [[0.0, 0.0, cos(5)]], dtype=F64
            ),
        },
    )
    generator = torch.Generator().manual_seed(4)
    q = torch.randn(2, 3, 2, 6, dtype=F64, generator=generator)
    k = torch.randn(2, 3, 4, 6, dtype=F64, generator=generator)
    same = fn(q, k, torch.tensor([8, 8]), torch.tensor([8, 8, 8, 8]))
    close(same, q @ k.transpose(-2, -1), "all positions equal: the plain dot products")
    m, n = torch.tensor([5, 3]), torch.tensor([0, 7, 2, 2])
    close(fn(q, k, m + 1000, n + 1000), fn(q, k, m, n), "all positions shifted by 1000")
    by_row_q, by_row_k = torch.stack([m, m + 4])[:, None], torch.stack([n, n])[:, None]
    close(
        fn(q, k, by_row_q, by_row_k)[1],
        fn(q[1], k[1], m + 4, n),
        "positions [batch, 1, L], second row of the batch",
    )
    if torch.allclose(fn(q, k, m, n, base=100.0), fn(q, k, m, n)):
        fail("The scores are the same for two bases: pass `base` on to the frequencies.")
    if fn(q.float(), k.float(), m, n).dtype != torch.float32:
        fail("For q and k in torch.float32 the scores must be in torch.float32.")
    one = torch.tensor([[1.0, 0.0]], dtype=torch.bfloat16)
    close(
        fn(one, one, torch.tensor([257]), torch.tensor([256])).double(),
        torch.tensor([[cos(1)]], dtype=F64),
        "q = k = (1, 0) in bfloat16, one token apart, at positions 257 and 256",
        mistakes={
            "round the positions to the dtype of q": torch.tensor([[1.0]], dtype=F64),
        },
        rtol=0.02,
    )
    for name, got in (
        ("q", fn(q.clone().requires_grad_(), k, m, n)),
        ("k", fn(q, k.clone().requires_grad_(), m, n)),
    ):
        if not got.requires_grad:
            fail(f"The graph from {name} to the scores is cut: no detach, no numpy, no item().")
    passed("rope_scores")


@visible_check
def half_to_interleaved(fn):
    """Two heads of width 6 with numbered rows, the same as a bias, and an unchanged argument."""
    rows = torch.arange(12, dtype=F64)
    w = torch.stack([rows, rows + 100], dim=-1)
    before = w.clone()
    order = [0, 3, 1, 4, 2, 5, 6, 9, 7, 10, 8, 11]
    inverse = [0, 2, 4, 1, 3, 5, 6, 8, 10, 7, 9, 11]
    across = [0, 6, 1, 7, 2, 8, 3, 9, 4, 10, 5, 11]
    opposite = "apply the opposite permutation, from interleaved to half-split"
    mixed = "reorder the whole matrix as if it were one head"
    close(
        fn(w, 2),
        w[order],
        "two heads of width 6; the first column is the old row number",
        mistakes={opposite: w[inverse], mixed: w[across]},
    )
    if not torch.equal(w, before):
        fail("half_to_interleaved changed its argument w: build a new tensor instead.")
    close(fn(rows, 2), rows[order], "the bias of the same projection, one-dimensional")
    passed("half_to_interleaved")
