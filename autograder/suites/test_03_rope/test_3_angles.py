"""Section 3 of 03_rope. The angles of every position and pair."""

import torch
from transformers import LlamaConfig
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

from autograder.suite import Draw, Student, exercise, expect

from .oracles import F64, KEPT, angle_rows

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
