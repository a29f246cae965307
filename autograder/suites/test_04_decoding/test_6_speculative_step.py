"""Section 6 of 04_decoding. A whole step of speculative sampling."""

import itertools
from collections import Counter

import torch

from autograder.suite import Draw, Student, exercise, expect

from .oracles import DOUBLE, doubles

# speculative_step


def as_prefix(prefix) -> tuple[int, ...]:
    """What the student passed, as a tuple of ints."""
    return tuple(int(token) for token in prefix)


def certain(tokens: list[int], start: tuple[int, ...], size: int, off: int):
    """A model that continues `start` with `tokens` for sure, and says `off` elsewhere."""

    def fn(prefix) -> torch.Tensor:
        place = len(as_prefix(prefix)) - len(start)
        known = 0 <= place < len(tokens)
        on_track = known and as_prefix(prefix) == (*start, *tokens[:place])
        probs = torch.zeros(size, dtype=DOUBLE)
        probs[tokens[place] if on_track else off] = 1.0
        return probs

    return fn


def story_of_drafts(draw: Draw, gamma: int):
    """A prefix, gamma + 1 different tokens and one more, out of a vocabulary that fits."""
    tokens = draw.sample(range(gamma + 3), gamma + 3)
    return tuple(draw.integers(0, gamma + 3, draw.integer(1, 4)).tolist()), tokens


@exercise("speculative_step", weight=2)
def test_all_accepted_and_a_bonus(student: Student, draw: Draw):
    """Certain models that agree on gamma tokens, or on one more, for several gamma."""
    for gamma, guesses in itertools.product((1, 3, 5), (0, 1)):
        prefix, tokens = story_of_drafts(draw, gamma)
        tokens, off = tokens[: gamma + 1], tokens[-1]
        draft = certain(tokens[: gamma + guesses], prefix, gamma + 3, off)
        target = certain(tokens, prefix, gamma + 3, off)
        got = student.speculative_step(prefix, draft, target, gamma, draw.generator())
        expect(got).equals(
            tokens,
            "If all gamma drafts are accepted, the step returns them and a bonus token of the "
            "target after the last one, as a list without the prefix.",
            mistakes={
                "There is no bonus token.": tokens[:-1],
                "The bonus comes from the target after all drafts, not from the draft model.":
                    [*tokens[:-1], off],
                "The prefix is not part of the result.": [*prefix, *tokens],
            },
        )  # fmt: skip


@exercise("speculative_step", weight=2)
def test_the_first_rejection_ends_the_step(student: Student, draw: Draw):
    """Certain models that agree for a while: the step ends with the target's own token."""
    for gamma, agreed in ((4, 0), (4, 2), (1, 0), (4, 3), (5, 4)):
        prefix, tokens = story_of_drafts(draw, gamma)
        wanted, off = tokens[gamma + 1], tokens[-1]
        draft = certain(tokens[:gamma], prefix, gamma + 3, off)
        target = certain([*tokens[:agreed], wanted], prefix, gamma + 3, off)
        got = student.speculative_step(prefix, draft, target, gamma, draw.generator())
        want = [*tokens[:agreed], wanted]
        expect(got).equals(
            want,
            "At the first rejection return the accepted drafts and one replacement; drafts "
            "behind it belong to a text that no longer exists.",
            mistakes={
                "The rejected draft was kept.": [*want[:-1], tokens[agreed]],
                "There is no replacement after the rejection.": want[:-1],
                "After a rejection there is no bonus token.": [*want, off],
                "Drafts behind the rejection were kept.":
                    [*want, *tokens[agreed + 1 : gamma]],
                "You went on to test the drafts behind the rejection.":
                    [*want, *[off] * (gamma - agreed)],
            },
        )  # fmt: skip


def step_law(p, q, start: int, gamma: int) -> dict[tuple[int, ...], float]:
    """Exact probability of every outcome of a step; row t of p and q is the law after token t."""
    outcomes: dict[tuple[int, ...], float] = {}

    def walk(done: tuple[int, ...], chance: float) -> None:
        before = (start, *done)[-1]
        last = p[before]
        if len(done) < gamma:
            kept = torch.minimum(p[before], q[before])
            last = p[before] - kept
            for token in kept.nonzero()[:, 0].tolist():
                walk((*done, token), chance * float(kept[token]))
        for token in last.nonzero()[:, 0].tolist():
            outcomes[(*done, token)] = chance * float(last[token])

    walk((), 1.0)
    return outcomes


def tokens_of(got) -> tuple[int, ...]:
    """The tokens of a step, after a look at what they are."""
    fits = isinstance(got, list | tuple) and all(type(token) is int for token in got)
    expect(got).true(fits and len(got) > 0, "Return a list of ints, at least one.")
    return tuple(got)


def too_far(count: int, n: int, chance: float) -> bool:
    """Whether a binomial count lies in a tail of probability below 1e-10."""
    law = torch.distributions.Binomial(n, torch.tensor(chance, dtype=DOUBLE))
    counts = torch.arange(n + 1, dtype=DOUBLE)
    tail = counts >= count if count > n * chance else counts <= count
    return float(law.log_prob(counts)[tail].exp().sum()) < 1e-10


def seeds(draw: Draw, n: int) -> list[int]:
    """n different seeds."""
    start = draw.integer(0, 2**30)
    return [start + 7919 * i for i in range(n)]


@exercise("speculative_step", weight=3)
def test_only_outcomes_that_can_happen_occur(student: Student, draw: Draw):
    """2,200 steps of two drafts with p/q = .4: all possible outcomes occur, and no others."""
    start, first, second, one, two, three = draw.shuffled(range(6))
    q, p = torch.zeros(6, 6, dtype=DOUBLE), torch.zeros(6, 6, dtype=DOUBLE)
    for before, drafted in ((start, first), (first, second)):
        q[before, drafted] = 1.0
        p[before, [drafted, one, two]] = doubles(0.4, 0.3, 0.3)
    p[second, [second, three]] = 0.5
    got = student.many_steps((start,), q, p, 2, 2200, draw.generator())
    steps = [tokens_of(step) for step in got]
    possible = {
        (one,): 0.3,
        (two,): 0.3,
        (first, one): 0.12,
        (first, two): 0.12,
        (first, second, second): 0.08,
        (first, second, three): 0.08,
    }
    expect(steps).true(
        set(steps) <= set(possible),
        "A draft that the target likes less is kept or replaced by what the target has in excess, "
        "never by the same token: the replacement comes from the residual of p and q.",
    )
    expect(steps).true(
        set(steps) == set(possible),
        "A step can be stopped at each of its drafts, or at none, replacements and bonus are "
        "drawn, and every decision needs a random number of its own.",
    )
    # One after the other, the decisions of all steps are independent.
    decisions = [kept for step in steps for kept in ((0,), (1, 0), (1, 1))[len(step) - 1]][:2950]
    expect(decisions).true(
        not too_far(sum(decisions), len(decisions), 0.4),
        "A draft with p/q = .4 is accepted in four cases out of ten: accept with min(1, p/q) as "
        "it is.",
    )
    expect(steps).true(
        not any(too_far(steps.count(y), 2200, chance) for y, chance in possible.items()),
        "Every decision and every draw needs a random number of its own.",
    )


@exercise("speculative_step", weight=3)
def test_the_outcomes_have_the_exact_law(student: Student, draw: Draw):
    """Two drafts; models that depend on the last token: 300 steps against their exact law."""
    a, b, c = draw.shuffled(range(3))
    p, q = torch.zeros(3, 3, dtype=DOUBLE), torch.zeros(3, 3, dtype=DOUBLE)
    for row, likes, drafts in ((c, 0.28, 0.5), (a, 0.5, 0.1), (b, 0.6, 0.5)):
        p[row, [a, b]] = doubles(likes, 1 - likes)
        q[row, [a, b]] = doubles(drafts, 1 - drafts)
    exact = step_law(p, q, c, 2)
    got = student.many_steps((c,), q, p, 2, 300, draw.generator())
    counts = Counter(tokens_of(step) for step in got)
    message = (
        "The outcomes of many steps do not have the law of the algorithm: accept with "
        "min(1, p/q), a fresh random number for each decision, replacements from the residual, "
        "target and draft asked after the same prefix."
    )
    expect(counts).true(set(counts) <= set(exact), message)
    for group in (lambda y: y[0], len, lambda y: (y[0], len(y)), lambda y: y):
        for value in {group(y) for y in exact}:
            count = sum(n for y, n in counts.items() if group(y) == value)
            chance = sum(weight for y, weight in exact.items() if group(y) == value)
            expect(counts).true(not too_far(count, 300, chance), message)


def long_tailed(likely: float, tail: float, size: int) -> torch.Tensor:
    """One likely token, a crowd of equal ones, and a tail of a fifth of the tokens."""
    rare = size // 5
    crowd = torch.full((size - 1 - rare,), (1 - likely - tail) / (size - 1 - rare), dtype=DOUBLE)
    return torch.cat([doubles(likely), crowd, torch.full((rare,), tail / rare, dtype=DOUBLE)])


@exercise("speculative_step", weight=2)
def test_no_law_is_bent(student: Student, draw: Draw):
    """2,000 steps of one draft in a vocabulary of 129: groups of outcomes against their law.

    The draft has 64 tokens, of which the target likes a few as much and most hardly at all; the
    residual lives on 64 others, and the bonus has a long tail. The last token begins the text.
    """
    gone, liked = 1 / 2000, 0.97  # p/q of the tokens that are hardly liked, or a little less
    q = torch.cat([long_tailed(0.4, 0.15, 64), torch.zeros(64, dtype=DOUBLE)])
    kept = q * torch.cat([doubles(1.0), torch.full((51,), gone), torch.full((76,), liked)])
    replaced = torch.cat([torch.zeros(64, dtype=DOUBLE), long_tailed(0.5, 0.08, 64)])
    first = kept + (1 - kept.sum()) * replaced
    bonus = long_tailed(0.5, 0.06, 128)
    drafts, likes = torch.zeros(129, 129, dtype=DOUBLE), torch.zeros(129, 129, dtype=DOUBLE)
    drafts[128, :128], likes[128, :128], likes[:128, :128] = q, first, bonus
    order = draw.shuffled(range(129))
    got = student.many_steps((order.index(128),), drafts[order][:, order], likes[order][:, order],
                             1, 2000, draw.generator())  # fmt: skip
    written = [tokens_of(step) for step in got]
    message = (
        "Over very many steps the outcomes do not have the law of the algorithm: drafts come from "
        "q, acceptance is min(1, p/q), replacements come from the whole residual and the bonus "
        "from the whole p, none of them sharpened, cut or smoothed."
    )
    known = all(0 <= token < 129 for step in written for token in step)
    expect(written).true(known and {len(step) for step in written} == {1, 2}, message)
    steps = [[order[token] for token in step] for step in written]
    for length, tokens, weights in (
        (2, range(1), kept),
        (2, range(1, 52), kept),
        (2, range(52, 64), kept),
        (1, range(64), first - kept),
        (1, range(64, 65), first - kept),
        (1, range(65, 116), first - kept),
        (1, range(116, 128), first - kept),
    ):
        count = sum(len(step) == length and step[0] in tokens for step in steps)
        chance = float(weights[list(tokens)].sum().clamp(min=1e-15))
        expect(written).true(not too_far(count, 2000, chance), message)
    last = [step[1] for step in steps if len(step) == 2]
    for tokens in (range(1), range(1, 103), range(103, 128)):
        count = sum(token in tokens for token in last)
        chance = float(bonus[list(tokens)].sum())
        expect(written).true(not too_far(count, len(last), chance), message)


@exercise("speculative_step")
def test_drafts_are_drawn_from_the_draft_model(student: Student, draw: Draw):
    """Draft and target agree on a law that depends on the last token: one step of 128 tokens."""
    table = torch.stack([doubles(0.5, 0.5, 0.0), doubles(0.0, 0.5, 0.5), doubles(0.5, 0.0, 0.5)])
    seen: list[tuple[int, ...]] = []

    def both(prefix) -> torch.Tensor:
        seen.append(as_prefix(prefix))
        return table[seen[-1][-1]]

    got = student.speculative_step((1, 0), both, both, 128, draw.generator())
    tokens = tokens_of(got)
    expect(got).true(
        len(tokens) == 129,
        "If p = q, all drafts are accepted, whatever gamma is, and a bonus token follows.",
    )
    text = [0, *tokens]
    steps = [(b - a) % 3 for a, b in itertools.pairwise(text)]
    expect(steps).true(
        set(steps) <= {0, 1} and not too_far(sum(steps), 129, 0.5),
        "Each draft is drawn from q after the prefix and the drafts before it.",
    )
    expect(seen).true(
        all(prefix[:2] == (1, 0) for prefix in seen),
        "Both models are asked about the whole text: the prefix, then the new tokens.",
    )


@exercise("speculative_step")
def test_the_generator_is_the_only_source_of_chance(student: Student, draw: Draw):
    """The same generator twice, with another global seed; then other generators.

    Of every two steps, one accepts all its drafts.
    """
    flat = torch.full((8,), 1 / 8, dtype=DOUBLE)
    peak = draw.probs(8)
    results = []
    for seed, likes in zip(seeds(draw, 10), itertools.cycle([flat, peak]), strict=False):

        def target(prefix, likes=likes) -> torch.Tensor:
            return likes

        student.seed, other = 1, torch.Generator().manual_seed(seed)
        one = student.speculative_step((3,), lambda _: flat, target, 3, other)
        student.seed, other = 2, torch.Generator().manual_seed(seed)
        two = student.speculative_step((3,), lambda _: flat, target, 3, other)
        expect(two).equals(
            one,
            "The same generator must give the same tokens: draw every random number from it, "
            "not from torch's global state.",
        )
        results.append(tokens_of(one))
    expect(results).true(
        any(each != results[0] for each in results),
        "Other generators must give other tokens: do not seed it, or one of your own.",
    )


@exercise("speculative_step")
def test_prefixes_of_any_length_and_no_special_token(student: Student, draw: Draw):
    """An empty prefix, a long one, and a token that occurs again and again."""
    for length, token in ((0, 0), (30, 1), (2, 4)):
        prefix = tuple(draw.integers(0, 5, length).tolist())
        surely = certain([token] * 5, prefix, 5, token)
        got = student.speculative_step(prefix, surely, surely, 4, draw.generator())
        expect(got).equals(
            [token] * 5, "A prefix may be empty, and no token ends a step: the caller sees to that."
        )
