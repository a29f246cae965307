"""Section 7 of 01_tokenizer. Perplexity of a text and of a corpus."""

import math

import torch

from autograder.suite import Draw, Student, exercise, expect

# perplexity -------------------------------------------------------------------------------


@exercise("perplexity", weight=2)
def test_perplexity_is_the_exponential_of_the_mean_nll(student: Student, draw: Draw):
    """Uniform models, whose perplexity is the size of their vocabulary, and any other."""
    cases = [(float(draw.uniform(30.0, 90.0)), draw.integer(20, 60))]
    sizes = (2, 17, 50_257, 3_000_000)
    cases += [(n * math.log(v), n) for v in sizes for n in (1, draw.integer(5, 5000))]
    for nll, n in cases:
        mistakes = {
            "You raised 2 to a power in nats: natural logarithms need exp.": 2 ** (nll / n),
            "You flipped the sign: the NLL is positive already.": math.exp(-nll / n),
            "You returned the mean NLL: take its exponential.": nll / n,
        }
        if n > 1 and nll < 600:
            mistakes["You forgot to divide by the number of tokens."] = math.exp(nll)
            mistakes["Divide before the exponential, not after."] = math.exp(nll) / n
            mistakes["You divided by one token too few."] = math.exp(nll / (n - 1))
        expect(student.perplexity(nll, n)).close(
            math.exp(nll / n),
            "Perplexity is exp(nll_sum / num_tokens), a Python float.",
            mistakes=mistakes,
        )
    expect(student.perplexity(0.0, draw.integer(2, 50))).close(
        1.0, "A model that is certain and right has NLL 0 and the perplexity 1, exactly."
    )


@exercise("perplexity", weight=1)
def test_no_token_no_perplexity(student: Student, draw: Draw):
    """No tokens at all, with and without some NLL, and a negative number of tokens."""
    some = float(draw.uniform(1.0, 5.0))
    for nll in (0.0, some):
        expect(student.raised("perplexity", nll, 0)).equals(
            "ValueError", "The perplexity of no token is undefined: raise ValueError."
        )
    expect(student.raised("perplexity", some, -draw.integer(1, 9))).equals(
        "ValueError", "A negative number of tokens is less than 1, too: raise ValueError."
    )


# corpus_perplexity ------------------------------------------------------------------------


@exercise("corpus_perplexity", weight=2)
def test_every_token_counts_the_same(student: Student, draw: Draw):
    """Texts of very different lengths and difficulty."""
    lengths = draw.shuffled([1, 2, 7, 20])
    texts = [
        -draw.uniform(lo, lo + 1.0, n)
        for n, lo in zip(lengths, draw.shuffled([0.1, 1.0, 2.0, 3.5]), strict=True)
    ]
    nlls = [-text.sum().item() for text in texts]
    total, tokens = sum(nlls), sum(lengths)
    each = [nll / n for nll, n in zip(nlls, lengths, strict=True)]
    expect(student.corpus_perplexity(texts)).close(
        math.exp(total / tokens),
        "Perplexity of a corpus is exp(sum of all NLLs / number of all tokens), a Python float.",
        mistakes={
            "You took the mean of the texts' perplexities.": sum(map(math.exp, each)) / 4,
            "You took the mean of the texts' mean NLLs.": math.exp(sum(each) / 4),
            "You weighted perplexities by length; add NLLs first.": sum(
                n * math.exp(x) for n, x in zip(lengths, each, strict=True)
            )
            / tokens,
            "You divided by the number of texts.": math.exp(total / 4),
            "You forgot to divide by the number of tokens.": math.exp(total),
            "You forgot the minus sign.": math.exp(-total / tokens),
            "You raised 2 to a power in nats.": 2 ** (total / tokens),
            "You used the first text only.": math.exp(each[0]),
        },
    )


@exercise("corpus_perplexity", weight=1)
def test_cutting_a_text_in_two_changes_nothing(student: Student, draw: Draw):
    """One long text, and the same tokens as two texts and as single tokens."""
    logps = -draw.uniform(0.1, 4.0, 12)
    cut = draw.integer(1, 6)
    want = math.exp(-logps.sum().item() / 12)
    for texts in ([logps], [logps[:cut], logps[cut:]], list(logps.split(1))):
        expect(student.corpus_perplexity(texts)).close(
            want,
            "Where one text ends and the next begins does not matter: tokens count, not texts.",
        )
    often = -draw.uniform(1.0, 2.0)
    rare = -draw.uniform(4.0, 5.0)
    alike = torch.cat([often.expand(5), rare.expand(1), often.expand(2)])
    expect(student.corpus_perplexity([alike[:3], alike[3:]])).close(
        math.exp(-alike.sum().item() / 8),
        "Tokens with equal log-probabilities all count: repeats are not removed.",
    )
    certain = torch.cat([logps, torch.zeros(draw.integer(3, 9), dtype=torch.float64)])
    expect(student.corpus_perplexity([certain[:7], certain[7:]])).close(
        math.exp(-certain.sum().item() / len(certain)),
        "A token with the log-probability 0 is a token: it counts in the denominator.",
    )
    long = -draw.uniform(0.5, 3.0, 2000)
    expect(student.corpus_perplexity([long])).close(
        math.exp(-long.sum().item() / 2000),
        "Add log-probabilities: the product of many probabilities underflows to 0.",
    )


@exercise("corpus_perplexity", weight=1)
def test_an_empty_corpus_has_no_perplexity(student: Student, draw: Draw):
    """A corpus without any text."""
    expect(student.raised("corpus_perplexity", [])).equals(
        "ValueError", "Without texts there is no token: raise ValueError."
    )
