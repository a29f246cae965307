"""Hidden suite of 03_rope.

Strategy: tables are compared with a double loop over `math.sin` and `math.cos`; rotations with
products of complex numbers and with the functions of `transformers` (half-split layout) after the
columns were reordered; scores with explicit block-diagonal rotation matrices; the permutation of
projection rows with numbered rows and with the logits of a real, tiny Llama with grouped queries.
Heads are never 4 wide: there the permutation is its own inverse. Gradients are compared by value
with the transposed rotation.
"""

import copy
import math
from unittest import mock

import torch
from transformers import LlamaConfig, LlamaForCausalLM
from transformers.models.llama import modeling_llama
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding, apply_rotary_pos_emb

from autograder.suite import Draw, Student, exercise, expect

FORBIDDEN = {
    "sinusoidal_pe": ["transformers"],
    "rope_angles": ["transformers"],
    "apply_rope": ["transformers"],
    "rope_scores": ["transformers"],
}
DEPENDS = {"rope_scores": ["rope_angles", "apply_rope"]}

F64 = torch.float64


# --- oracles ---------------------------------------------------------------------------------


def sinusoid_rows(positions, d, exponent=lambda i, d: 2 * i / d):
    """[len(positions), d]: sine and cosine alternate; one number at a time."""
    rows = []
    for p in positions:
        angles = [p * 10_000.0 ** -exponent(i, d) for i in range(d // 2)]
        rows.append([f(a) for a in angles for f in (math.sin, math.cos)])
    return torch.tensor(rows, dtype=F64)


def angle_rows(positions, d, base, exponent=lambda i, d: 2 * i / d):
    """[len(positions), d/2]: p * base^(-2i/d), one number at a time."""
    rows = [[p * base ** -exponent(i, d) for i in range(d // 2)] for p in positions]
    return torch.tensor(rows, dtype=F64)


def turned(x, angles):
    """Interleaved rotation by complex multiplication, in float64."""
    pairs = torch.view_as_complex(x.double().reshape(*x.shape[:-1], -1, 2).contiguous())
    return torch.view_as_real(pairs * torch.exp(1j * angles.double())).flatten(-2)


def turned_half(x, angles):
    """Half-split rotation by complex multiplication, in float64."""
    first, second = x.double().chunk(2, dim=-1)
    z = torch.complex(first, second) * torch.exp(1j * angles.double())
    return torch.cat([z.real, z.imag], dim=-1)


def rotation(position, d, base):
    """The block-diagonal matrix R_position, [d, d]."""
    blocks = []
    for i in range(d // 2):
        a = position * base ** (-2 * i / d)
        blocks.append([[math.cos(a), -math.sin(a)], [math.sin(a), math.cos(a)]])
    return torch.block_diag(*(torch.tensor(b, dtype=F64) for b in blocks))


def score_matrix(q, k, pos_q, pos_k, base=10_000.0):
    """<R_m q, R_n k> for q [L_q, d] and k [L_k, d], one pair of positions at a time."""
    d = q.shape[-1]
    turned_q = [rotation(int(m), d, base) @ row for m, row in zip(pos_q, q, strict=True)]
    turned_k = [rotation(int(n), d, base) @ row for n, row in zip(pos_k, k, strict=True)]
    return torch.stack(turned_q) @ torch.stack(turned_k).T


def score_batch(q, k, pos_q, pos_k, base=10_000.0):
    """`score_matrix` for q [B, H, L_q, d], k [B, H, L_k, d] and positions [B][L]."""
    batch = []
    for b in range(q.shape[0]):
        heads = [
            score_matrix(q[b, h], k[b, h], pos_q[b], pos_k[b], base) for h in range(q.shape[1])
        ]
        batch.append(torch.stack(heads))
    return torch.stack(batch)


def interleaved_order(n_heads, d_head):
    """Old row numbers in their new order, one row at a time."""
    order = []
    for h in range(n_heads):
        for i in range(d_head // 2):
            order += [h * d_head + i, h * d_head + i + d_head // 2]
    return order


def inverse_of(order):
    return [order.index(row) for row in range(len(order))]


# --- sinusoidal_pe ---------------------------------------------------------------------------

PE_MISTAKES = {
    "doubled": "You multiplied by 2 twice: arange(0, d, 2) already runs over 2i.",
    "single": "The exponent is 2i/d for pair i; yours is half of that.",
    "swapped": "Sine and cosine are swapped: even columns are sines.",
    "halves": "Sine and cosine alternate by column; you put all sines before all cosines.",
    "from_one": "Positions start at 0, yours start at 1.",
    "column": "Both columns of a pair share one frequency: use the pair's i, not the column's.",
    "d - 2": "The exponent is 2i/d; you divided by d - 2, so that the last pair reaches 1/10000.",
}


def pe_mistakes(positions, d):
    right = sinusoid_rows(positions, d)
    column = [[10_000.0 ** (-j / d) * p for j in range(d)] for p in positions]
    column = torch.tensor(column, dtype=F64)
    even = torch.arange(d) % 2 == 0
    values = {
        "doubled": sinusoid_rows(positions, d, lambda i, d: 4 * i / d),
        "single": sinusoid_rows(positions, d, lambda i, d: i / d),
        "swapped": right.view(-1, d // 2, 2).flip(-1).flatten(1),
        "halves": torch.cat([right[:, 0::2], right[:, 1::2]], dim=-1),
        "from_one": sinusoid_rows([p + 1 for p in positions], d),
        "column": torch.where(even, column.sin(), column.cos()),
    }
    if d > 2:
        values["d - 2"] = sinusoid_rows(positions, d, lambda i, d: 2 * i / (d - 2))
    return {PE_MISTAKES[name]: value for name, value in values.items()}


@exercise("sinusoidal_pe", weight=3)
def test_every_entry_follows_the_formula(student: Student, draw: Draw):
    """A table with a few pairs and a table with many, every entry."""
    for d in (2 * draw.integer(3, 9), 2 * draw.integer(70, 200)):
        L = draw.integer(5, 12)
        expect(student.sinusoidal_pe(L, d)).close(
            sinusoid_rows(range(L), d),
            "Entry (p, 2i) is sin(p * 10000^(-2i/d)), entry (p, 2i+1) the cosine of the same "
            "angle; the result is [L, d] in float64.",
            mistakes=pe_mistakes(range(L), d),
        )


@exercise("sinusoidal_pe")
def test_first_pair_turns_by_one_radian_per_position(student: Student, draw: Draw):
    """The first two columns, whose frequency does not depend on d."""
    L, d = draw.integer(6, 14), 2 * draw.integer(2, 7)
    got = student.sinusoidal_pe(L, d)
    expect(got).tensor((L, d), F64, "The table is [L, d] in float64.")
    angles = torch.arange(L, dtype=F64)
    expect(got[:, :2]).close(
        torch.stack([angles.sin(), angles.cos()], dim=-1),
        "Columns 0 and 1 are sin(p) and cos(p), with p = 0 in the first row.",
        mistakes={
            PE_MISTAKES["from_one"]: torch.stack([(angles + 1).sin(), (angles + 1).cos()], dim=-1),
            PE_MISTAKES["swapped"]: torch.stack([angles.cos(), angles.sin()], dim=-1),
        },
    )


@exercise("sinusoidal_pe")
def test_far_positions_keep_their_precision(student: Student, draw: Draw):
    """The last rows of a very long table, in float64."""
    L, d = draw.integer(33_000, 36_000), 2 * draw.integer(2, 4)
    got = student.sinusoidal_pe(L, d)
    expect(got).tensor((L, d), F64, "The table is [L, d] in float64, however long it is.")
    last = range(L - 4, L)
    expect(got[-4:]).close(
        sinusoid_rows(last, d),
        "Far rows are off: compute in float64 from the first operation on; the position multiplies "
        "the rounding error of a float32 frequency. L may be as large as you like.",
        mistakes=pe_mistakes(last, d),
    )


KEPT = (
    "The answer depends on an earlier call. Compute every table from the arguments of this call; a "
    "cache must tell all of them apart."
)


@exercise("sinusoidal_pe")
def test_every_table_is_computed_anew(student: Student, draw: Draw):
    """Five tables in a row that share a length or a width."""
    L, d = draw.integer(3, 6), 2 * draw.integer(3, 8)
    for length, width in ((L, d), (L + 5, d), (L + 2, d), (L, d + 2), (L + 5, d + 2)):
        expect(student.sinusoidal_pe(length, width)).close(
            sinusoid_rows(range(length), width), KEPT
        )


@exercise("sinusoidal_pe")
def test_smallest_tables(student: Student, draw: Draw):
    """One pair only, and one position only."""
    L, d = draw.integer(3, 9), 2 * draw.integer(3, 8)
    expect(student.sinusoidal_pe(L, 2)).close(
        sinusoid_rows(range(L), 2),
        "With d = 2 there is one pair, and it turns by one radian per position.",
        mistakes=pe_mistakes(range(L), 2),
    )
    expect(student.sinusoidal_pe(1, d)).close(
        sinusoid_rows([0], d),
        "Position 0 alone is the row 0, 1, 0, 1, ...",
        mistakes=pe_mistakes([0], d),
    )


# --- rope_angles -----------------------------------------------------------------------------

ANGLE_MISTAKES = {
    "from_one": "Positions start at 0, yours start at 1.",
    "sign": "The exponent is negative: later pairs turn more slowly.",
    "doubled": "You multiplied by 2 twice: arange(0, d_head, 2) already runs over 2i.",
    "single": "The exponent is 2i/d_head for pair i; yours is half of that.",
    "base": "The argument base is ignored.",
    "twice": "One column per pair, not per dimension: do not store the angles twice.",
    "cut": "You made the base a whole number: take it as it is.",
    "rounded": "You rounded the base to float32: torch.tensor(base) alone does that.",
}


def angle_mistakes(L, d, base):
    right = angle_rows(range(L), d, base)
    values = {
        "from_one": angle_rows(range(1, L + 1), d, base),
        "sign": angle_rows(range(L), d, 1 / base),
        "doubled": angle_rows(range(L), d, base, lambda i, d: 4 * i / d),
        "single": angle_rows(range(L), d, base, lambda i, d: i / d),
        "base": angle_rows(range(L), d, 10_000.0),
        "twice": torch.cat([right, right], dim=-1),
    }
    return {ANGLE_MISTAKES[name]: value for name, value in values.items()}


@exercise("rope_angles", weight=2)
def test_angles_are_positions_times_frequencies(student: Student, draw: Draw):
    """A few positions and pairs with a base of their own."""
    L, d = draw.integer(8, 14), 2 * draw.integer(3, 9)
    base = float(draw.integer(50, 900))
    expect(student.rope_angles(L, d, base)).close(
        angle_rows(range(L), d, base),
        "Entry (p, i) is p * base^(-2i/d_head); the result is [L, d_head/2] in float64.",
        mistakes=angle_mistakes(L, d, base),
    )


@exercise("rope_angles")
def test_frequencies_are_those_of_llama(student: Student, draw: Draw):
    """Position 1 against the inverse frequencies of transformers, default base."""
    d = 2 * draw.integer(4, 24)
    config = LlamaConfig(hidden_size=2 * d, num_attention_heads=2, head_dim=d)
    want = LlamaRotaryEmbedding(config).inv_freq.double()
    got = student.rope_angles(2, d)
    expect(got).tensor((2, d // 2), F64, "The table is [L, d_head/2] in float64.")
    expect(got[1]).close(
        want,
        "With the default base, 10000, position 1 is turned by the frequencies base^(-2i/d_head).",
        mistakes={
            ANGLE_MISTAKES["doubled"]: angle_rows([1], d, 1e4, lambda i, d: 4 * i / d)[0],
            ANGLE_MISTAKES["single"]: angle_rows([1], d, 1e4, lambda i, d: i / d)[0],
            ANGLE_MISTAKES["from_one"]: 2 * want,
        },
        rtol=1e-6,
    )


@exercise("rope_angles")
def test_far_angles_keep_their_precision(student: Student, draw: Draw):
    """The last row of a very long table, pair by pair."""
    L, d = draw.integer(33_000, 36_000), 2 * draw.integer(2, 4)
    got = student.rope_angles(L, d)
    expect(got).tensor((L, d // 2), F64, "The table is [L, d_head/2] in float64.")
    want = angle_rows([L - 1], d, 10_000.0)[0]
    expect(got[-1] / want).close(
        torch.ones_like(want),
        "Far angles are off: positions are 0 to L - 1, and every step is in float64; the position "
        "multiplies the rounding error of a float32 frequency. L may be as large as you like.",
    )


@exercise("rope_angles")
def test_every_table_of_angles_is_computed_anew(student: Student, draw: Draw):
    """Five tables in a row that share length, width or base."""
    L, d = draw.integer(3, 6), 2 * draw.integer(3, 8)
    for length, width, base in ((L, d, 90.0), (L + 5, d, 90.0), (L, d, 70.0), (L, d + 2, 70.0)):
        expect(student.rope_angles(length, width, base)).close(
            angle_rows(range(length), width, base), KEPT
        )
    expect(student.rope_angles(L, d)).close(angle_rows(range(L), d, 10_000.0), KEPT)


@exercise("rope_angles")
def test_any_base_above_one(student: Student, draw: Draw):
    """Position 1 for bases that are not whole, not exact in float32, or very large."""
    d = 2 * draw.integer(3, 9)
    for base in (1.3, draw.integer(5, 40) + 0.3, draw.integer(50, 900) + 0.3, 5_000_000.3):
        got = student.rope_angles(2, d, base)
        expect(got).tensor((2, d // 2), F64, "The table is [L, d_head/2] in float64.")
        want = angle_rows([1], d, base)[0]
        others = {
            "base": angle_rows([1], d, 10_000.0)[0],
            "cut": angle_rows([1], d, float(int(base)))[0],
            "rounded": angle_rows([1], d, torch.tensor(base, dtype=torch.float32).item())[0],
        }
        expect(got[1] / want).close(
            torch.ones_like(want),
            "Position 1 is turned by the frequencies base^(-2i/d_head) with the base given, which "
            "may be any number above 1; compute in float64.",
            mistakes={ANGLE_MISTAKES[name]: other / want for name, other in others.items()},
        )


@exercise("rope_angles", weight=0.5)
def test_smallest_tables_of_angles(student: Student, draw: Draw):
    """One pair only, and one position only."""
    L, d = draw.integer(3, 9), 2 * draw.integer(3, 8)
    expect(student.rope_angles(L, 2)).close(
        angle_rows(range(L), 2, 10_000.0),
        "With d_head = 2 there is one pair, turned by p radians: the table is [L, 1].",
    )
    expect(student.rope_angles(1, d)).equals(
        torch.zeros(1, d // 2, dtype=F64),
        "Position 0 is not turned at all: its table is one row of zeros, [1, d_head/2].",
    )


# --- apply_rope ------------------------------------------------------------------------------

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


# --- rope_scores -----------------------------------------------------------------------------

SCORE_MISTAKES = {
    "only_q": "You turned the queries only: the keys are turned by their own positions.",
    "only_k": "You turned the keys only: the queries are turned by their own positions.",
    "clockwise": "Queries and keys turn clockwise: the score depends on the offset, but with the "
    "wrong sign.",
    "absolute": "You used |m - n|: the sign of the offset matters.",
    "scaled": "Do not divide by sqrt(d_head): the bare dot products are asked for.",
    "plain": "The positions have no effect on your scores.",
    "arange": "Use the positions given: they need not be 0, 1, 2, ...",
    "half": "You paired column i with column i + d_head/2: that is the half-split layout.",
    "base": "The argument base is ignored.",
    "added": "You added sinusoids; RoPE rotates.",
    "rows": "Every row of the batch has positions of its own; you used those of the first.",
}


def drawn_positions(draw, count):
    """Distinct positions with gaps, in no order."""
    return torch.tensor(draw.sample(range(1, 80), count))


def score_mistakes(q, k, pos_q, pos_k, base=10_000.0):
    """What typical mistakes give for q [L_q, d], k [L_k, d] and flat positions."""
    d = q.shape[-1]
    zeros_q, zeros_k = torch.zeros_like(pos_q), torch.zeros_like(pos_k)
    distance = (pos_q[:, None] - pos_k).abs()
    by_distance = torch.stack(
        [
            torch.stack(
                [q[a] @ rotation(int(distance[a, b]), d, base) @ k[b] for b in range(len(k))]
            )
            for a in range(len(q))
        ]
    )
    to_half = list(range(0, d, 2)) + list(range(1, d, 2))
    strangers = inverse_of(to_half)
    right = score_matrix(q, k, pos_q, pos_k, base)
    pe_q = sinusoid_rows(pos_q.tolist(), d)
    pe_k = sinusoid_rows(pos_k.tolist(), d)
    values = {
        "only_q": score_matrix(q, k, pos_q, zeros_k, base),
        "only_k": score_matrix(q, k, zeros_q, pos_k, base),
        "clockwise": score_matrix(q, k, -pos_q, -pos_k, base),
        "absolute": by_distance,
        "scaled": right / math.sqrt(d),
        "plain": q @ k.T,
        "arange": score_matrix(q, k, range(len(q)), range(len(k)), base),
        "half": score_matrix(q[:, strangers], k[:, strangers], pos_q, pos_k, base),
        "added": (q + pe_q) @ (k + pe_k).T,
    }
    if base != 10_000.0:
        values["base"] = score_matrix(q, k, pos_q, pos_k)
    return {SCORE_MISTAKES[name]: value for name, value in values.items()}


@exercise("rope_scores", weight=2)
def test_scores_match_rotation_matrices(student: Student, draw: Draw):
    """Fewer queries than keys; positions with gaps, in no order; a query and a key far away."""
    n_q, n_k, d = draw.integer(2, 4), draw.integer(8, 12), 2 * draw.integer(3, 6)
    q, k = draw.normal(n_q, d), draw.normal(n_k, d)
    pos_q, pos_k = drawn_positions(draw, n_q), drawn_positions(draw, n_k)
    pos_q[1] += draw.integer(36_000, 50_000)
    pos_k[1] += draw.integer(70_000, 90_000)
    expect(student.rope_scores(q, k, pos_q, pos_k)).close(
        score_matrix(q, k, pos_q, pos_k),
        "Entry (a, b) is the dot product of query a, turned by its position, and key b, turned by "
        "its own; the result is [L_q, L_k].",
        mistakes=score_mistakes(q, k, pos_q, pos_k),
    )


@exercise("rope_scores")
def test_the_sign_of_the_offset_matters(student: Student, draw: Draw):
    """One pair, a key as far to the left as to the right, against A cos + B sin."""
    q, k = draw.uniform(0.5, 1.5, 1, 2), draw.uniform(-1.5, -0.5, 1, 2)
    k[0, 1] = -k[0, 1]
    m, s = draw.integer(20, 30), draw.integer(1, 3)
    pos_q, pos_k = torch.tensor([m]), torch.tensor([m - s, m + s])
    keys = k.expand(2, 2).clone()
    (a, b), (c, e) = q[0], k[0]
    along, across = a * c + b * e, b * c - a * e
    want = [along * math.cos(o) + across * math.sin(o) for o in (-s, s)]
    expect(student.rope_scores(q, keys, pos_q, pos_k)).close(
        torch.stack(want)[None],
        "For one pair (a, b), (c, d) the score is (ac + bd) cos((n-m)w) + (bc - ad) sin((n-m)w): "
        "left and right differ.",
        mistakes=score_mistakes(q, keys, pos_q, pos_k),
    )


@exercise("rope_scores")
def test_a_common_shift_changes_nothing(student: Student, draw: Draw):
    """The same scores before and after all positions move by the same large number."""
    n_q, n_k, d = draw.integer(2, 4), draw.integer(5, 8), 2 * draw.integer(3, 6)
    q, k = draw.normal(n_q, d), draw.normal(n_k, d)
    pos_q, pos_k = drawn_positions(draw, n_q), drawn_positions(draw, n_k)
    shift = draw.integer(20_000, 40_000)
    expect(student.rope_scores(q, k, pos_q + shift, pos_k + shift)).close(
        score_matrix(q, k, pos_q, pos_k),
        "Moving all positions by the same number must not change a score: turn queries and keys, "
        "each by its own position, with angles in float64.",
        mistakes=score_mistakes(q, k, pos_q + shift, pos_k + shift),
        rtol=1e-8,
    )


@exercise("rope_scores")
def test_equal_positions_give_plain_dot_products(student: Student, draw: Draw):
    """All queries and keys at one position."""
    n, d = draw.integer(3, 6), 2 * draw.integer(3, 6)
    q, k = draw.normal(2, 2, n, d), draw.normal(2, 2, n, d)
    positions = torch.full((n,), draw.integer(5, 60))
    want = torch.einsum("bhqd,bhkd->bhqk", q, k)
    expect(student.rope_scores(q, k, positions, positions)).close(
        want,
        "At equal positions both are turned alike, and the score is the plain dot product q · k.",
        mistakes={
            SCORE_MISTAKES["scaled"]: want / math.sqrt(d),
            "Rows are queries and columns are keys; yours are swapped.": want.transpose(-2, -1),
        },
    )


@exercise("rope_scores")
def test_the_base_is_used(student: Student, draw: Draw):
    """A base other than the default, given by name."""
    n_q, n_k, d = draw.integer(2, 4), draw.integer(5, 8), 2 * draw.integer(3, 6)
    q, k = draw.normal(n_q, d), draw.normal(n_k, d)
    pos_q, pos_k = drawn_positions(draw, n_q), drawn_positions(draw, n_k)
    base = float(draw.integer(50, 900))
    expect(student.rope_scores(q, k, pos_q, pos_k, base=base)).close(
        score_matrix(q, k, pos_q, pos_k, base),
        "The frequencies are base^(-2i/d_head) with the base given.",
        mistakes=score_mistakes(q, k, pos_q, pos_k, base),
    )


@exercise("rope_scores")
def test_one_new_query_meets_a_long_cache(student: Student, draw: Draw):
    """A single query at a far position, 700 keys; then a single key."""
    q, k = draw.normal(1, 4), draw.normal(700, 4)
    far = draw.integer(140_000, 150_000)
    pos_q, pos_k = torch.tensor([far]), torch.arange(far - 699, far + 1)
    frequencies = angle_rows([1], 4, 10_000.0)
    want = turned(q, pos_q[:, None] * frequencies) @ turned(k, pos_k[:, None] * frequencies).T
    message = "However long the text, each position counts as it is: [L_q, L_k], even if one is 1."
    for n in (700, 1):
        got = student.rope_scores(q, k[:n], pos_q, pos_k[:n])
        expect(got).close(want[:, :n], message, rtol=1e-8)


@exercise("rope_scores")
def test_every_call_takes_its_own_base(student: Student, draw: Draw):
    """As many queries as keys, without batch; the default base, then one that is not whole."""
    L, d = draw.integer(3, 6), 2 * draw.integer(3, 6)
    q, k = draw.normal(L, d), draw.normal(L, d)
    pos_q, pos_k = drawn_positions(draw, L), drawn_positions(draw, L)
    for base in (10_000.0, draw.integer(50, 900) + 0.3):
        expect(student.rope_scores(q, k, pos_q, pos_k, base)).close(
            score_matrix(q, k, pos_q, pos_k, base),
            "Rows are queries, columns keys, and no key is masked; the frequencies are those of "
            "this call's base, taken as it is.",
            mistakes={
                SCORE_MISTAKES["base"]: score_matrix(q, k, pos_q, pos_k),
                "Rows are queries and columns are keys; yours are swapped.": score_matrix(
                    q, k, pos_q, pos_k, base
                ).T,
            }
            if base != 10_000.0
            else {},
        )


@exercise("rope_scores")
def test_left_padded_rows_have_their_own_positions(student: Student, draw: Draw):
    """Positions of shape [batch, 1, L]: every row of the batch is padded differently."""
    L, d = draw.integer(4, 7), 2 * draw.integer(3, 6)
    q, k = draw.normal(3, 2, L, d), draw.normal(3, 2, L, d)
    starts = torch.tensor(draw.sample(range(30), 3))
    positions = starts[:, None] + torch.arange(L)
    later = positions + torch.tensor([[0], [3], [7]])
    want = score_batch(q, k, later, positions)
    first = score_batch(q, k, later[:1].expand(3, -1), positions[:1].expand(3, -1))
    expect(student.rope_scores(q, k, later[:, None], positions[:, None])).close(
        want,
        "Positions [batch, 1, L] give each row of the batch positions of its own.",
        mistakes={SCORE_MISTAKES["rows"]: first},
    )


@exercise("rope_scores")
def test_gradients_reach_queries_and_keys(student: Student, draw: Draw):
    """The gradients with respect to q and k, against rotation matrices."""
    n_q, n_k, d = draw.integer(2, 4), draw.integer(5, 8), 2 * draw.integer(3, 6)
    q, k = draw.normal(n_q, d), draw.normal(n_k, d)
    pos_q, pos_k = drawn_positions(draw, n_q), drawn_positions(draw, n_k)
    upstream = draw.normal(n_q, n_k)
    got = student.grad("rope_scores", q, k, pos_q, pos_k, wrt=(0, 1), cotangent=upstream)
    turn_q = torch.stack([rotation(int(m), d, 10_000.0) for m in pos_q])
    turn_k = torch.stack([rotation(int(n), d, 10_000.0) for n in pos_k])
    between = torch.einsum("aji,bjk->abik", turn_q, turn_k)  # R_m^T R_n for every pair
    lost = (
        "Gradients must reach queries and keys: stay with torch operations, and do not detach or "
        "copy through numpy or lists."
    )
    expect(got.grads[0]).close(torch.einsum("ab,abik,bk->ai", upstream, between, k), lost)
    expect(got.grads[1]).close(torch.einsum("ab,abik,ai->bk", upstream, between, q), lost)


@exercise("rope_scores", weight=0.5)
def test_scores_have_the_dtype_of_the_queries(student: Student, draw: Draw):
    """float32 queries and keys at far positions."""
    n_q, n_k, d = draw.integer(2, 4), draw.integer(5, 8), 2 * draw.integer(3, 6)
    q, k = draw.normal(n_q, d).float(), draw.normal(n_k, d).float()
    shift = draw.integer(20_000, 40_000)
    pos_q, pos_k = drawn_positions(draw, n_q), drawn_positions(draw, n_k)
    got = student.rope_scores(q, k, pos_q + shift, pos_k + shift)
    expect(got).tensor((n_q, n_k), torch.float32, "The scores are [L_q, L_k] in the dtype of q.")
    expect(got).close(
        score_matrix(q.double(), k.double(), pos_q, pos_k).float(),
        "Compute the angles in float64 even when the queries are float32; round cosine and sine.",
    )


@exercise("rope_scores")
def test_positions_are_not_rounded_to_a_short_dtype(student: Student, draw: Draw):
    """bfloat16 queries and keys at positions that bfloat16 does not have."""
    n_q, n_k, d = draw.integer(3, 5), draw.integer(5, 8), 2 * draw.integer(3, 6)
    q, k = draw.normal(n_q, d).bfloat16(), draw.normal(n_k, d).bfloat16()
    # From 2048 to 4096 bfloat16 has the multiples of 16 only: every query would move by 6 tokens.
    pos_q = 16 * torch.tensor(draw.sample(range(130, 250), n_q)) + 6
    pos_k = 16 * torch.tensor(draw.sample(range(130, 250), n_k))
    got = student.rope_scores(q, k, pos_q, pos_k)
    expect(got).tensor((n_q, n_k), torch.bfloat16, "The scores are [L_q, L_k] in the dtype of q.")
    expect(got).close(
        score_matrix(q.double(), k.double(), pos_q, pos_k).bfloat16(),
        "Multiply the integer positions and the float64 frequencies as they are: in the dtype of q "
        "a position beyond 256 becomes another one.",
        mistakes={
            "You rounded the positions to the dtype of q: several tokens then share one "
            "position.": score_matrix(q.double(), k.double(), pos_q - 6, pos_k).bfloat16()
        },
        rtol=0.05,
    )


@exercise("rope_scores")
def test_any_leading_dimensions(student: Student, draw: Draw):
    """Positions for every head, a batch without heads, and more leading dimensions than two."""
    L, d = draw.integer(4, 7), 2 * draw.integer(3, 6)
    q, k = draw.normal(2, 3, L, d), draw.normal(2, 3, L + 1, d)
    pos_q = torch.stack([drawn_positions(draw, L) for _ in range(6)]).view(2, 3, L)
    pos_k = torch.stack([drawn_positions(draw, L + 1) for _ in range(6)]).view(2, 3, L + 1)
    rows = [
        [score_matrix(q[b, h], k[b, h], pos_q[b, h], pos_k[b, h]) for h in range(3)]
        for b in range(2)
    ]
    want = torch.stack([torch.stack(row) for row in rows])
    leading = (
        "Leading dimensions may be any: those of the positions broadcast against those of q and k. "
        "Add no axis, drop none, and pick no entry of them."
    )
    for got, expected in (
        (student.rope_scores(q, k, pos_q, pos_k), want),
        (student.rope_scores(q[:, 0], k[:, 0], pos_q[:, 0], pos_k[:, 0]), want[:, 0]),
        (student.rope_scores(q[None], k[None], pos_q, pos_k), want[None]),
    ):
        expect(got).tensor(expected.shape, F64, leading)
        expect(got).close(expected, leading)


# --- half_to_interleaved ---------------------------------------------------------------------

ROW_MISTAKES = {
    "inverse": "This is the opposite permutation, from interleaved to half-split.",
    "across": "You reordered across heads: the reordering happens inside each head.",
    "swapped": "The two rows of each pair are swapped: first old row i, then old row i + d_head/2.",
    "columns": "You reordered the columns: the outputs of a projection are its rows.",
    "nothing": "Nothing was reordered.",
    "width": "n_heads is the number of heads, not the width of one.",
}


def row_mistakes(w, n_heads):
    n = w.shape[0]
    d_head = n // n_heads
    order = interleaved_order(n_heads, d_head)
    values = {
        "inverse": w[inverse_of(order)],
        "across": w[interleaved_order(1, n)],
        "swapped": w[torch.tensor(order).view(-1, 2).flip(-1).flatten()],
        "nothing": w,
    }
    if n_heads % 2 == 0:
        values["width"] = w[interleaved_order(d_head, n_heads)]
    if w.ndim == 2 and w.shape[1] == n:
        values["columns"] = w[:, order]
    return {ROW_MISTAKES[name]: value for name, value in values.items()}


@exercise("half_to_interleaved", weight=2)
def test_rows_are_reordered_inside_each_head(student: Student, draw: Draw):
    """A square weight with several heads, row by row."""
    n_heads, d_head = draw.choice([2, 6]), draw.choice([8, 12])
    w = draw.normal(n_heads * d_head, n_heads * d_head)
    expect(student.half_to_interleaved(w, n_heads)).equals(
        w[interleaved_order(n_heads, d_head)],
        "Inside each head, row 2i is old row i and row 2i + 1 is old row i + d_head/2.",
        mistakes=row_mistakes(w, n_heads),
    )


@exercise("half_to_interleaved")
def test_any_width_of_model_and_any_dtype(student: Student, draw: Draw):
    """More columns than rows and fewer, one head and several, wide heads, floats and integers."""
    for n_heads, d_head, d_model, dtype in [
        (3, 6, draw.integer(25, 40), torch.float32),
        (4, 10, draw.integer(3, 9), torch.bfloat16),
        (1, 8, draw.integer(9, 20), torch.float64),
        (2, 64, draw.integer(5, 9), torch.int8),
    ]:
        w = (20 * draw.normal(n_heads * d_head, d_model)).clamp(-127, 127).to(dtype)
        got = student.half_to_interleaved(w, n_heads)
        expect(got).tensor(w.shape, dtype, "The result has the shape and dtype of w.")
        expect(got).equals(
            w[interleaved_order(n_heads, d_head)],
            "The weight is [n_heads * d_head, d_model]: d_model may be anything, and values are "
            "copied as they are.",
            mistakes=row_mistakes(w, n_heads),
        )


@exercise("half_to_interleaved")
def test_heads_of_any_number_and_width(student: Student, draw: Draw):
    """48 rows as 2, 3, 12 and 24 heads, 3 heads of width 128; one column; biases in float16."""
    for n_heads, d_head in ((2, 24), (3, 16), (12, 4), (24, 2), (3, 128)):
        for w in (draw.normal(n_heads * d_head, 1), draw.normal(n_heads * d_head).half()):
            expect(student.half_to_interleaved(w, n_heads)).close(
                w[interleaved_order(n_heads, d_head)],
                "The order follows from n_heads and the number of rows of this call, whatever they "
                "are; weights and biases keep shape and dtype.",
                mistakes=row_mistakes(w, n_heads),
            )


@exercise("half_to_interleaved")
def test_biases_are_reordered_like_weights(student: Student, draw: Draw):
    """The one-dimensional bias of a projection."""
    n_heads, d_head = draw.integer(2, 5), draw.choice([6, 8, 10])
    b = draw.normal(n_heads * d_head)
    expect(student.half_to_interleaved(b, n_heads)).equals(
        b[interleaved_order(n_heads, d_head)],
        "The bias [n_heads * d_head] is reordered like the rows of the weight.",
        mistakes=row_mistakes(b, n_heads),
    )


def turned_like_the_course(q, k, cos, sin, unsqueeze_dim=1):
    """Takes the place of transformers' rotation: interleaved, positions 0, 1, ..."""
    angles = angle_rows(range(q.shape[-2]), q.shape[-1], 10_000.0)
    return turned(q, angles), turned(k, angles)


@exercise("half_to_interleaved", weight=2)
def test_a_converted_llama_keeps_its_logits(student: Student, draw: Draw):
    """A tiny Llama with grouped queries, before and after the conversion of its q and k rows."""
    d_head = draw.choice([8, 10])
    config = LlamaConfig(
        vocab_size=19,
        hidden_size=40,
        intermediate_size=24,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=d_head,
        attn_implementation="eager",
    )
    model = LlamaForCausalLM(config).double().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(0.4 * draw.normal(*parameter.shape))
        input_ids = draw.integers(0, 19, 2, 9)
        logits = model(input_ids).logits
        converted, inverse = copy.deepcopy(model), copy.deepcopy(model)
        for new, back in zip(converted.model.layers, inverse.model.layers, strict=True):
            for name, n_heads in (("q_proj", 4), ("k_proj", 2)):
                old = getattr(new.self_attn, name).weight
                got = student.half_to_interleaved(old.detach().clone(), n_heads)
                expect(got).tensor(old.shape, F64, "The result has the shape and dtype of w.")
                old.copy_(got)
                order = inverse_of(interleaved_order(n_heads, d_head))
                other = getattr(back.self_attn, name).weight
                other.copy_(other[order].clone())
        with mock.patch.object(modeling_llama, "apply_rotary_pos_emb", turned_like_the_course):
            same, wrong = converted(input_ids).logits, inverse(input_ids).logits
            untouched = model(input_ids).logits
    expect(same).close(
        logits,
        "With the rows of q_proj and k_proj converted by your function, interleaved RoPE must give "
        "the logits of the original model.",
        mistakes={ROW_MISTAKES["inverse"]: wrong, ROW_MISTAKES["nothing"]: untouched},
        rtol=1e-5,  # transformers computes its angles in float32
    )
