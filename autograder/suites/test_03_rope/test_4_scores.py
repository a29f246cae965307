"""Section 4 of 03_rope. Scores between rotated queries and keys."""

import math

import torch

from autograder.suite import Draw, Student, exercise, expect

from .oracles import F64, angle_rows, inverse_of, sinusoid_rows, turned


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
