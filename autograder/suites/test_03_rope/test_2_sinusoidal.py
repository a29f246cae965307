"""Section 2 of 03_rope. Sinusoidal positions."""

import torch

from autograder.suite import Draw, Student, exercise, expect

from .oracles import F64, KEPT, sinusoid_rows

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
