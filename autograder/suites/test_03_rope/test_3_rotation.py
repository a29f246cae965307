"""Section 3 of 03_rope. Rotating the pairs."""

import torch
from transformers.models.llama.modeling_llama import apply_rotary_pos_emb

from autograder.suite import Draw, Student, exercise, expect

from .oracles import F64, KEPT, angle_rows, inverse_of, turned, turned_half

TURN_MISTAKES = {
    "half": "You paired column i with column i + d_head/2: that is the half-split layout.",
    "clockwise": "You turned clockwise: the minus sign belongs to the first coordinate.",
    "order": "The rotation is right, but the columns come out in halves: interleave them again.",
    "old": "The second coordinate needs the old first coordinate, not the one just computed.",
    "degrees": "The angles are in radians.",
    "nothing": "Nothing was turned.",
}


def turn_mistakes(x, angles):
    right = turned(x, angles)
    x = x.double()
    even, odd = x[..., 0::2], x[..., 1::2]
    first = right[..., 0::2]
    old = torch.stack([first, first * angles.sin() + odd * angles.cos()], dim=-1)
    minus = torch.stack(
        [even * angles.cos() + odd * angles.sin(), even * angles.sin() + odd * angles.cos()], dim=-1
    )
    return {
        TURN_MISTAKES["half"]: turned_half(x, angles),
        TURN_MISTAKES["clockwise"]: turned(x, -angles),
        TURN_MISTAKES["order"]: torch.cat([right[..., 0::2], right[..., 1::2]], dim=-1),
        TURN_MISTAKES["old"]: old.flatten(-2),
        TURN_MISTAKES["degrees"]: turned(x, torch.deg2rad(angles)),
        TURN_MISTAKES["nothing"]: x,
        "A rotation has one minus sign: x[2i] cos - x[2i+1] sin.": minus.flatten(-2),
    }


@exercise("apply_rope", weight=2)
def test_pairs_are_multiplied_by_complex_numbers(student: Student, draw: Draw):
    """Batch, heads, many positions and arbitrary angles, against complex multiplication."""
    L, d = draw.integer(66, 90), 2 * draw.integer(3, 7)
    x, angles = draw.normal(2, 3, L, d), draw.uniform(-6.0, 6.0, L, d // 2)
    expect(student.apply_rope(x, angles)).close(
        turned(x, angles),
        "Pair i is (x[2i], x[2i+1]), turned counter-clockwise by angles[p, i]: "
        "(x0 cos - x1 sin, x0 sin + x1 cos).",
        mistakes=turn_mistakes(x, angles),
    )


@exercise("apply_rope")
def test_lengths_of_pairs_are_kept(student: Student, draw: Draw):
    """The length of every pair before and after, for one sequence without batch or heads."""
    L, d = draw.integer(4, 9), 2 * draw.integer(3, 7)
    x, angles = draw.normal(L, d), draw.uniform(0.5, 6.0, L, d // 2)
    got = student.apply_rope(x, angles)
    expect(got).tensor((L, d), F64, "The result has the shape and dtype of x, here [L, d_head].")
    expect(got.view(L, -1, 2).norm(dim=-1)).close(
        x.view(L, -1, 2).norm(dim=-1),
        "A rotation keeps the length of every neighbouring pair; yours does not. Check the signs, "
        "and that the second coordinate uses the old first one.",
        mistakes={
            "The columns of a pair do not stay together: keep the interleaved layout.": torch.cat(
                [turned(x, angles)[:, 0::2], turned(x, angles)[:, 1::2]], dim=-1
            )
            .view(L, -1, 2)
            .norm(dim=-1),
            TURN_MISTAKES["half"]: turned_half(x, angles).view(L, -1, 2).norm(dim=-1),
        },
    )


@exercise("apply_rope")
def test_agrees_with_llama_after_reordering_columns(student: Student, draw: Draw):
    """One sequence without batch or heads, turned as transformers would turn it."""
    L, d = draw.integer(5, 9), 2 * draw.integer(3, 7)
    x = draw.normal(L, d)
    angles = angle_rows(range(L), d, 10_000.0)
    both = torch.cat([angles, angles], dim=-1)[None]
    to_half = list(range(0, d, 2)) + list(range(1, d, 2))
    q = x[None, None, :, to_half]  # [batch, heads, L, d_head]
    half = apply_rotary_pos_emb(q, q, both.cos(), both.sin())[0][0, 0]
    expect(student.apply_rope(x, angles)).close(
        half[:, inverse_of(to_half)],
        "With the columns reordered, your rotation must be that of Llama in transformers.",
        mistakes=turn_mistakes(x, angles),
    )


@exercise("apply_rope")
def test_angles_follow_the_sequence_not_the_heads(student: Student, draw: Draw):
    """As many heads and sequences as positions, so that a mix-up of axes does not crash."""
    n, d = draw.integer(4, 7), 2 * draw.integer(3, 6)
    x, angles = draw.normal(n, n, n, d), draw.uniform(0.5, 6.0, n, d // 2)
    expect(student.apply_rope(x, angles)).close(
        turned(x, angles),
        "Row p of the angles belongs to position p, the last axis but one of x: all heads and all "
        "sequences share it.",
        mistakes={
            "You let the angles follow the heads; they follow the positions.": turned(
                x, angles[:, None, :]
            ),
            "You let the angles follow the batch; they follow the positions.": turned(
                x, angles[:, None, None, :]
            ),
            **turn_mistakes(x, angles),
        },
    )


@exercise("apply_rope")
def test_rows_of_a_batch_may_have_angles_of_their_own(student: Student, draw: Draw):
    """Angles of shape [batch, 1, L, d_head/2], as for left-padded prompts."""
    L, d = draw.integer(4, 7), 2 * draw.integer(3, 6)
    x, angles = draw.normal(3, 3, L, d), draw.uniform(-6.0, 6.0, 3, 1, L, d // 2)
    expect(student.apply_rope(x, angles)).close(
        turned(x, angles),
        "Angles may come with leading dimensions that broadcast against those of x: "
        "[batch, 1, L, d_head/2] gives each row of the batch angles of its own.",
        mistakes={
            "Every row of the batch was turned by the angles of the first.": turned(x, angles[:1]),
            "You let the angles follow the heads; they follow the batch here.": turned(
                x, angles.transpose(0, 1)
            ),
            **turn_mistakes(x, angles),
        },
    )


@exercise("apply_rope")
def test_angles_broadcast_like_any_tensor(student: Student, draw: Draw):
    """Angles by row of a batch without heads, by head, and by head and row."""
    L, d = draw.integer(4, 7), 2 * draw.integer(3, 6)
    x, angles = draw.normal(2, 3, L, d), draw.uniform(0.5, 6.0, 2, 3, L, d // 2)
    broadcast = (
        "The leading dimensions of the angles broadcast against those of x, whatever they are: add "
        "no axis, drop none, and pick no entry of them."
    )
    for these, those in (
        (x[:, 0], angles[:, 0]),  # [batch, L, d_head] and [batch, L, d_head/2]
        (x, angles[0]),  # [heads, L, d_head/2]
        (x, angles),
    ):
        got = student.apply_rope(these.clone(), those.clone())
        expect(got).tensor(these.shape, F64, broadcast)
        one_head = those[..., :1, :, :].expand(those.shape)
        expect(got).close(
            turned(these, those),
            broadcast,
            mistakes={
                "You used the angles of the first row or head for all of them.": turned(
                    these, one_head
                )
            },
        )


@exercise("apply_rope")
def test_short_dtypes_come_back_as_they_went(student: Student, draw: Draw):
    """Queries from float64 to bfloat16 with float64 angles of many turns."""
    L, d = draw.integer(4, 7), 2 * draw.integer(3, 6)
    angles = draw.uniform(2000.0, 3000.0, L, d // 2)
    for dtype in (F64, torch.float32, torch.bfloat16, torch.float16):
        x = draw.normal(2, 2, L, d).to(dtype)
        got = student.apply_rope(x, angles)
        expect(got).tensor(
            (2, 2, L, d),
            dtype,
            "The result has the dtype of x, although the angles are float64.",
        )
        expect(got).close(
            turned(x, angles).to(dtype),
            "Take the cosine and sine of the float64 angles first and round them afterwards: a "
            "large angle in a short dtype points somewhere else.",
        )


@exercise("apply_rope")
def test_gradient_is_the_rotation_backwards(student: Student, draw: Draw):
    """The gradient with respect to x, float64 and float32: the upstream gradient turned back."""
    L, d = draw.integer(4, 7), 2 * draw.integer(3, 6)
    angles = draw.uniform(-6.0, 6.0, L, d // 2)
    for dtype in (F64, torch.float32):
        x, upstream = draw.normal(2, 3, L, d, dtype=dtype), draw.normal(2, 3, L, d, dtype=dtype)
        got = student.grad("apply_rope", x, angles, wrt=(0,), cotangent=upstream)
        expect(got.grads[0]).close(
            turned(upstream, -angles).to(dtype),
            "Gradients must reach x, in every dtype: stay with torch operations, and do not detach "
            "or copy through numpy or lists. The gradient is the upstream gradient, turned back.",
            mistakes={TURN_MISTAKES["clockwise"]: turned(upstream, angles).to(dtype)},
        )


@exercise("apply_rope")
def test_wide_heads_long_texts_and_single_rows(student: Student, draw: Draw):
    """Heads of width 300, a text of 5000 positions, a batch, a head and a position alone."""
    for shape in ((1, 1, 3, 300), (1, 5000, 2), (2, 1, 1, 6)):
        x, angles = draw.normal(*shape), draw.uniform(-6.0, 6.0, shape[-2], shape[-1] // 2)
        got = student.apply_rope(x, angles)
        expect(got).tensor(
            shape, F64, "The result has the shape and dtype of x, axes of size 1 too."
        )
        expect(got).close(
            turned(x, angles), "All pairs of all positions are turned: there is no largest width."
        )


@exercise("apply_rope")
def test_every_call_takes_its_own_angles(student: Student, draw: Draw):
    """The same queries twice, with other angles of the same shape."""
    L, d = draw.integer(4, 9), 2 * draw.integer(3, 7)
    x = draw.normal(2, L, d)
    for _ in range(2):
        angles = draw.uniform(-6.0, 6.0, L, d // 2)
        expect(student.apply_rope(x, angles)).close(turned(x, angles), KEPT)
