"""Section 7 of 02_transformer. The whole decoder, with and without a cache."""

import torch

from autograder.suite import Draw, Student, exercise, expect

from .oracles import block_of, block_weights, gpt2_with, gpt_weights, norm_of

# TinyDecoder


@torch.no_grad()
def library_logits(params: dict, H: int, d_ff: int, ids: torch.Tensor, **how) -> torch.Tensor:
    """What transformers says."""
    return gpt2_with(params, H, d_ff)(ids, **how).logits


def logits_of(params: dict, H: int, ids: torch.Tensor, final: bool = True) -> torch.Tensor:
    """Logits of a tied decoder, from the blocks above; `final=False` leaves LN_f out."""
    x = params["wte"][ids] + params["wpe"][: ids.shape[1]]
    for p in params["blocks"]:
        x = block_of(x, p, H)
    return (norm_of(x, params, "lnf") if final else x) @ params["wte"].T


def cached(decoder, ids: torch.Tensor, past) -> tuple:
    """One call with a cache; checks that it returns two things."""
    got = decoder.forward(ids, past)
    expect(got).true(
        isinstance(got, tuple | list) and len(got) == 2,
        "With a list as past_key_values, also an empty one, return the tuple (logits, new list).",
    )
    return got


DECODER = "wte + wpe, the blocks, the final layer norm, then h @ W_U, which is wte^T if tied."


@exercise("TinyDecoder", weight=4)
def test_logits_equal_those_of_gpt2(student: Student, draw: Draw):
    """Three blocks, two texts, all positions, tied head; no cache."""
    params, ids = gpt_weights(draw, 11, 9, 12, 14, 3), draw.integers(0, 11, 2, 7)
    got = student.new("TinyDecoder", params, 3).forward(ids)
    want = library_logits(params, 3, 14, ids)
    plain = {**params, "wpe": 0 * params["wpe"]}
    expect(got).close(
        want,
        f"With GPT-2's weights the logits are those of GPT2LMHeadModel. {DECODER}",
        mistakes={
            "The final layer normalisation is missing.": logits_of(params, 3, ids, final=False),
            "The position embeddings are missing.": library_logits(plain, 3, 14, ids),
            "Only the last position is returned.": want[:, -1:],
            "Only the last position is returned. ": want[:, -1],
            "Log-probabilities are returned instead of logits.": want.log_softmax(-1),
            "Probabilities are returned instead of logits.": want.softmax(-1),
            "Positions count from 1; they count from 0.": library_logits(
                params, 3, 14, ids, position_ids=torch.arange(1, 8)[None]
            ),
        },
    )


@exercise("TinyDecoder", weight=2)
def test_a_head_that_is_not_tied(student: Student, draw: Draw):
    """W_U is given; one text, one block, then one token."""
    params = gpt_weights(draw, 10, 8, 8, 14, 1)
    ids, W_U = draw.integers(0, 10, 1, 8), draw.normal(8, 10)
    untied = {**params, "W_U": W_U}
    tied = library_logits(params, 2, 14, ids)
    decoder = student.new("TinyDecoder", untied, 2)
    for each in (ids, ids[:, :1]):
        expect(decoder.forward(each)).close(
            library_logits(untied, 2, 14, each),
            f"The head is W_U where params has it. {DECODER}",
            mistakes={"The token table is used as head although W_U is given.": tied},
        )
    again = student.new("TinyDecoder", params, 2).forward(ids)
    expect(again).close(tied, f"Without W_U the head is the token table, transposed. {DECODER}")


@exercise("TinyDecoder", weight=2)
def test_heads_that_are_narrower_than_the_model(student: Student, draw: Draw):
    """Heads that together are narrower than the model, which GPT-2 does not have; no cache."""
    params, ids = gpt_weights(draw, 11, 9, 12, 14, 2), draw.integers(0, 11, 2, 5)
    params["blocks"] = [block_weights(draw, 12, 6, 14) for _ in range(2)]
    expect(student.new("TinyDecoder", params, 3).forward(ids)).close(
        logits_of(params, 3, ids),
        "A head is as wide as Wq has columns, divided by n_heads: not d_model / n_heads.",
    )


@exercise("TinyDecoder", weight=2)
def test_an_empty_cache_is_filled(student: Student, draw: Draw):
    """A prefill with []: the logits, and keys and values of every block."""
    params, ids = gpt_weights(draw, 11, 9, 12, 14, 2), draw.integers(0, 11, 2, 5)
    with torch.no_grad():
        out = gpt2_with(params, 3, 14)(ids, use_cache=True)
    logits, cache = cached(student.new("TinyDecoder", params, 3), ids, [])
    expect(logits).close(out.logits, f"An empty cache changes no logits. {DECODER}")
    want = [(layer.keys, layer.values) for layer in out.past_key_values.layers]
    expect(cache).close(
        want,
        "The cache is a list with one pair (k, v) per block, [B, H, T_past, d] each: keys and "
        "values of the normalised tokens, with their biases.",
        mistakes={"Keys and values are exchanged.": [(v, k) for k, v in want]},
    )


@exercise("TinyDecoder", weight=4)
def test_one_token_at_a_time(student: Student, draw: Draw):
    """A prefill and single tokens, against one full forward."""
    params, ids = gpt_weights(draw, 11, 9, 12, 14, 2), draw.integers(0, 11, 2, 8)
    want = library_logits(params, 3, 14, ids)
    decoder = student.new("TinyDecoder", params, 3)
    _, cache = cached(decoder, ids[:, :4], [])
    restarted = {}
    for t in range(4, 8):
        stale = [*range(t), 0]
        restarted["The positions start again at 0: new tokens stand at T_past, T_past + 1, ..."] = (
            library_logits(params, 3, 14, ids[:, : t + 1], position_ids=torch.tensor([stale]))
        )[:, -1:]
        restarted["The new token sees only itself: the cache is not used."] = library_logits(
            params, 3, 14, ids[:, t : t + 1]
        )
        logits, cache = cached(decoder, ids[:, t : t + 1], cache)
        expect(logits).close(
            want[:, t : t + 1],
            "Behind a cache the logits of a new token are those of the full forward: absolute "
            "position, all cached keys, and its own.",
            mistakes=restarted,
        )


@exercise("TinyDecoder", weight=3)
def test_several_new_tokens_behind_a_cache(student: Student, draw: Draw):
    """Pieces of 2, 3 and 4 tokens: the mask is a rectangle."""
    params, ids = gpt_weights(draw, 11, 9, 12, 14, 2), draw.integers(0, 11, 2, 9)
    want = library_logits(params, 3, 14, ids)
    decoder, cache, done = student.new("TinyDecoder", params, 3), [], 0
    for size in (2, 3, 4):
        logits, cache = cached(decoder, ids[:, done : done + size], cache)
        expect(logits).close(
            want[:, done : done + size],
            "The mask has one row per new token and T_past + T columns: new token i sees all "
            "cached tokens and the new ones up to itself.",
        )
        done += size


@exercise("TinyDecoder", weight=2)
def test_two_continuations_of_one_cache(student: Student, draw: Draw):
    """The same cache used twice, and a fresh text afterwards."""
    params, ids = gpt_weights(draw, 11, 9, 12, 14, 2), draw.integers(0, 11, 2, 7)
    other = torch.cat([ids[:, :4], (ids[:, 4:] + 1) % 11], dim=1)
    decoder = student.new("TinyDecoder", params, 3)
    _, cache = cached(decoder, ids[:, :4], [])
    message = "forward depends on its arguments alone: keep no tokens and no cache in the object."
    for each in (ids, other):
        logits, _ = cached(decoder, each[:, 4:], cache)
        expect(logits).close(library_logits(params, 3, 14, each)[:, 4:], message)
    fresh = other[:, :3]
    expect(decoder(fresh)).close(library_logits(params, 3, 14, fresh), message)


@exercise("TinyDecoder")
def test_decoders_in_float32(student: Student, draw: Draw):
    """All weights in float32, with a cache."""
    params, ids = gpt_weights(draw, 11, 9, 12, 14, 2), draw.integers(0, 11, 2, 6)
    want = library_logits(params, 3, 14, ids).float()
    single = {name: each.float() for name, each in params.items() if name != "blocks"}
    single["blocks"] = [{n: each.float() for n, each in p.items()} for p in params["blocks"]]
    decoder = student.new("TinyDecoder", single, 3)
    _, cache = cached(decoder, ids[:, :4], [])
    logits, _ = cached(decoder, ids[:, 4:], cache)
    expect(logits).close(want[:, 4:], "float32 weights give float32 logits.", rtol=1e-4)
