"""Visible checks of the tokenizer notebook: small cases by hand, stored numbers, properties."""

from __future__ import annotations

import math

import torch

from sft2rl.checks import close, equal, fail, passed, raises, visible_check

# The ids of a few bytes in GPT-2's order.
_A, _B, _C, _D, _SPACE = 64, 65, 66, 67, 220


@visible_check
def pre_tokenize(fn):
    """Six rules, one text each, and the property that nothing is lost."""
    equal(
        fn("it's in 1865"),
        ["it", "'s", " in", " 1865"],
        'pre_tokenize("it\'s in 1865")',
        mistakes={
            "throw the spaces away (`split`)": ["it's", "in", "1865"],
            "cut spaces off as pieces of their own": ["it", "'s", " ", "in", " ", "1865"],
            "forget rule 1": ["it", "'", "s", " in", " 1865"],
        },
    )
    equal(
        fn("it'S"),
        ["it", "'", "S"],
        'pre_tokenize("it\'S"), an upper-case S',
        mistakes={"apply rule 1 to upper case too": ["it", "'S"]},
    )
    equal(
        fn("we'll I've"),
        ["we", "'ll", " I", "'ve"],
        "pre_tokenize(\"we'll I've\"), longer endings",
        mistakes={"know 's and 't only": ["we", "'", "ll", " I", "'", "ve"]},
    )
    equal(
        fn("x² a_b été"),
        ["x", "²", " a", "_", "b", " été"],
        "pre_tokenize('x² a_b été')",
        mistakes={
            r"use \w, which mixes letters, digits and `_`": ["x", "²", " a_b", " été"],
            "treat only a-z as letters": ["x", "²", " a", "_", "b", " ", "é", "t", "é"],
        },
    )
    equal(
        fn("2½"),
        ["2½"],
        "pre_tokenize('2½'), a number with a fraction",
        mistakes={"treat only 0-9 as numbers": ["2", "½"]},
    )
    equal(
        fn("a\n\nb"),
        ["a", "\n", "\n", "b"],
        "pre_tokenize('a\\n\\nb'): only a space may lead a piece",
        mistakes={r"let any white space (`\s?`) lead a piece": ["a", "\n", "\nb"]},
    )
    equal(
        fn("a   b\n\n  "),
        ["a", "  ", " b", "\n\n  "],
        "pre_tokenize('a   b\\n\\n  '), runs of white space",
        mistakes={
            "forget rule 5": ["a", "   ", "b", "\n\n  "],
            "give every white space character its own piece": [
                *["a", " ", " ", " b", "\n", "\n", " ", " "]
            ],
        },
    )
    equal(fn(""), [], "pre_tokenize('')")
    for text in ("'tis  the voice,\tshe said -- \n", "兎は 12.5% 🐇! don't WE'LL", " \n x\u00a0y"):
        pieces = fn(text)
        if "".join(pieces) != text:
            fail(
                f"The pieces of {text!r}, concatenated, should be the text; they are\n"
                f"  {''.join(pieces)!r}.\n  A character that no rule takes is lost: which one?"
            )
        if "" in pieces:
            fail(f"One piece of {text!r} is empty: every rule must take at least one character.")
    passed("pre_tokenize")


@visible_check
def count_pairs(fn):
    """Overlaps, weights and word borders, on hand-made words."""
    equal(
        dict(fn({(1, 2, 3): 1})),
        {(1, 2): 1, (2, 3): 1},
        "count_pairs({(1, 2, 3): 1})",
        mistakes={"skip the pairs that share an id": {(1, 2): 1}},
    )
    across = {(1, 2): 7, (2, 3): 5, (3, 1): 2, (2, 4): 9}
    equal(
        dict(fn({(1, 2, 3): 5, (1, 2): 2, (4,): 9})),
        {(1, 2): 7, (2, 3): 5},
        "count_pairs({(1, 2, 3): 5, (1, 2): 2, (4,): 9})",
        mistakes={
            "forget to weight by the frequency of the word": {(1, 2): 2, (2, 3): 1},
            "count across the border of two words": across,
            "overwrite the count of an earlier word": {(1, 2): 2, (2, 3): 5},
        },
    )
    equal(
        dict(fn({(7, 7, 7): 2})),
        {(7, 7): 4},
        "count_pairs({(7, 7, 7): 2}): two overlapping pairs, twice",
        mistakes={"count without overlap": {(7, 7): 2}},
    )
    mirrored = {(1, 2): 4, (2, 1): 3}
    equal(
        dict(fn(mirrored)),
        {(1, 2): 4, (2, 1): 3},
        "count_pairs({(1, 2): 4, (2, 1): 3}): the order within a pair matters",
    )
    if len(mirrored) != 2:
        fail("Your function changed the dictionary it was given. Only read from it.")
    equal(dict(fn({})), {}, "count_pairs({})")
    passed("count_pairs")


@visible_check
def merge_pair(fn):
    """Two hand-made words, an odd run, and the argument left alone."""
    ids = [1, 2, 3, 1, 2]
    equal(
        fn(ids, (1, 2), 9),
        [9, 3, 9],
        "merge_pair([1, 2, 3, 1, 2], (1, 2), 9)",
        mistakes={
            "replace the first occurrence only": [9, 3, 1, 2],
            "forget the end of the list": [9, 3, 1],
        },
    )
    equal(ids, [1, 2, 3, 1, 2], "the list you were given, after the call (it must not change)")
    equal(
        fn([7, 7, 7], (7, 7), 9),
        [9, 7],
        "merge_pair([7, 7, 7], (7, 7), 9), an odd run",
        mistakes={"merge from the right": [7, 9], "let occurrences overlap": [9, 9]},
    )
    equal(
        fn([2, 1, 2, 1, 3], (1, 2), 9),
        [2, 9, 1, 3],
        "merge_pair([2, 1, 2, 1, 3], (1, 2), 9): both ids, in this order",
        mistakes={"merge (2, 1) as well": [9, 9, 3], "compare the left id only": [2, 9, 9]},
    )
    equal(fn([], (1, 2), 9), [], "merge_pair([], (1, 2), 9)")
    equal(fn([1], (1, 2), 9), [1], "merge_pair([1], (1, 2), 9)")
    passed("merge_pair")


@visible_check
def train_bpe(fn):
    """The example of the text, the four ways to stop, ties, and the vocabulary's form."""
    text = "Do cats eat bats? Do bats eat cats?"
    got = fn([text], 260)
    if not isinstance(got, tuple) or len(got) != 2:
        fail("train_bpe should return two things: (vocab, merges).")
    vocab, merges = got
    equal(
        [tuple(pair) for pair in merges],
        [(64, 83), (256, 82), (35, 78), (65, 257)],
        f"the merges of {text!r} up to 260 entries (the table above)",
        mistakes={
            "count once and never again": [(64, 83), (83, 82), (35, 78), (65, 64)],
            "give a tie to the pair seen first": [(64, 83), (256, 82), (35, 78), (220, 66)],
            "give a tie to the largest pair": [(64, 83), (256, 82), (220, 68), (258, 256)],
            "use the byte itself as its id": [(97, 116), (256, 115), (32, 98), (32, 99)],
        },
    )
    equal(len(vocab), 260, "the number of entries of vocab (256 bytes and 4 merges)")
    equal(
        [tuple(pair) for pair in fn([text], 260)[1]],
        [tuple(pair) for pair in merges],
        "the merges of a second call with the same arguments",
        mistakes={"add the merges to BYTE_VOCAB itself instead of a copy": []},
    )
    equal(vocab.get(220), b" ", "vocab[220], the space")
    equal(
        vocab.get(259),
        b"bats",
        "vocab[259]: the bytes of the two parts, joined",
        mistakes={"store a str instead of bytes": "bats"},
    )

    _, merges = fn(["ab ab cd cd"], 258)
    equal(
        [tuple(pair) for pair in merges],
        [(_A, _B), (_C, _D)],
        "two merges of 'ab ab cd cd': ties go to the smallest pair of ids",
        mistakes={
            "give a tie to the pair seen first": [(_A, _B), (_SPACE, _C)],
            "give a tie to the largest pair": [(_SPACE, _C), (256, _D)],
        },
    )
    _, merges = fn(["ab", "ab", "cd"], 300, 2)
    equal(
        [tuple(pair) for pair in merges],
        [(_A, _B)],
        "texts 'ab', 'ab', 'cd' with min_frequency=2",
        mistakes={
            "ignore min_frequency": [(_A, _B), (_C, _D)],
            "stop at a count equal to min_frequency (2 is enough)": [],
        },
    )
    _, merges = fn(["ab", "ab", "ab"], 300, 2)
    equal(
        [tuple(pair) for pair in merges],
        [(_A, _B)],
        "three texts 'ab' with min_frequency=2",
        mistakes={"join the texts into one": [(_A, _B), (256, 256)]},
    )
    _, merges = fn(["ab!"], 300)
    equal(
        [tuple(pair) for pair in merges],
        [(_A, _B)],
        "text 'ab!', until no pair is left ('!' is a pre-token of its own)",
        mistakes={"merge across the border of a pre-token": [(_A, _B), (256, 0)]},
    )
    vocab, merges = fn(["ab ab"], 256)
    equal((len(vocab), len(merges)), (256, 0), "entries and merges for vocab_size=256")
    passed("train_bpe")


@visible_check
def encode(fn):
    """The three words of the text, borders, bytes, and merges that are not there."""
    t, h, e, r = 83, 71, 68, 81
    merges = [(t, h), (h, e), (e, r)]
    equal(fn("there", []), [t, h, e, r, e], "encode('there', []): byte ids")
    equal(
        fn("there", merges),
        [256, 258, e],
        "encode('there', merges) with th, he, er",
        mistakes={
            "return token bytes instead of ids": [b"th", b"er", b"e"],
            "merge a single pair only": [256, e, r, e],
        },
    )
    equal(
        fn("the", [(h, e), (t, h)]),
        [t, 256],
        "encode('the', ...) with he learnt before th",
        mistakes={"go from the left instead of by rank": [257, e]},
    )
    equal(
        fn("abcd", [(_B, _C), (_A, _B), (257, _C), (_A, 256)]),
        [259, _D],
        "encode('abcd', ...) with bc, ab, ab+c, a+bc learnt in this order",
        mistakes={
            "take the longest token from the left": [258, _D],
            "merge greedily from the left": [258, _D],
        },
    )
    equal(
        fn("a !", [(_A, _SPACE), (_SPACE, 0)]),
        [_A, 257],
        "encode('a !', ...): pieces are 'a' and ' !'",
        mistakes={"forget to pre-tokenise": [256, 0]},
    )
    equal(
        fn("abcab", [(_B, _C), (_A, _B)]),
        [_A, 256, 257],
        "encode('abcab', ...) with bc learnt before ab",
        mistakes={"count pairs in this text instead of going by rank": [257, _C, 257]},
    )
    equal(
        fn("é", []),
        [127, 102],
        "encode('é', []): two bytes, C3 A9",
        mistakes={"use code points instead of UTF-8 bytes": [165]},
    )
    equal(fn("", merges), [], "encode('', merges)")
    equal(merges, [(t, h), (h, e), (e, r)], "the merges you were given (they must not change)")
    passed("encode")


@visible_check
def decode(fn):
    """Joined bytes, a cut emoji, white space kept, an unknown id heard of."""
    vocab = {0: b"a", 1: b"\xf0\x9f", 2: b"\x90\x87", 3: b" \n", 4: b"\x00"}
    equal(fn([0, 1, 2, 0], vocab), "a🐇a", "a rabbit whose four bytes are spread over two tokens")
    equal(
        fn([3, 0, 3], vocab),
        " \na \n",
        "white space at both ends",
        mistakes={"strip the text": "a"},
    )
    equal(
        fn([0, 1], vocab),
        "a\ufffd",
        "half a rabbit: U+FFFD, the replacement character",
        mistakes={"ignore what is not valid": "a", "decode as Latin-1": "að\x9f"},
    )
    equal(fn([4], vocab), "\x00", "the byte 0")
    equal(fn([], vocab), "", "no ids at all")
    raises(KeyError, fn, [0, 5], vocab, what="id 5, which is not in the vocabulary")
    passed("decode")


@visible_check
def token_logps(fn):
    """Known probabilities, an enormous shift, an ignored NaN, and the gradient."""
    logits = torch.tensor([[[2.0, 1.0, 0.0], [0.0, 0.0, 0.0]]], dtype=torch.float64)
    targets = torch.tensor([[0, 2]])
    want = torch.tensor([[-0.4076059644443803, -math.log(3)]], dtype=torch.float64)
    got = fn(logits, targets)
    close(
        got,
        want,
        "logits (2, 1, 0), target 0, then (0, 0, 0), target 2",
        mistakes={
            "return probabilities": want.exp(),
            "use logarithms to base 2": want / math.log(2),
            "flip the sign (log-probabilities are at most 0)": -want,
            "pick the logits themselves, without a softmax": logits.gather(
                -1, targets.unsqueeze(-1)
            ).squeeze(-1),
            "normalise over the positions instead of the vocabulary": torch.tensor(
                [[-0.12692801104297263, -0.6931471805599453]], dtype=torch.float64
            ),
        },
    )
    close(fn(logits + 1000, targets), want, "the same logits, plus 1000", rtol=1e-9)
    far = torch.tensor([[[0.0, -1000.0, -1000.0]]], dtype=torch.float64)
    close(
        fn(far, torch.tensor([[1]])),
        torch.tensor([[-1000.0]], dtype=torch.float64),
        "logits (0, -1000, -1000), target 1",
        mistakes={
            "take log(softmax(...)), which underflows": torch.tensor(
                [[-math.inf]], dtype=torch.float64
            )
        },
    )
    logits[0, 1] = math.nan
    targets = torch.tensor([[0, -100]])
    close(
        fn(logits, targets),
        torch.tensor([[want[0, 0], 0.0]], dtype=torch.float64),
        "target -100 where the logits are NaN (select, do not multiply)",
    )
    equal(targets.tolist(), [[0, -100]], "the targets you were given (they must not change)")
    single = torch.zeros(1, 1, 4, dtype=torch.float32, requires_grad=True)
    out = fn(single, torch.tensor([[3]]))
    if out.dtype != torch.float32:
        fail(f"The result should have the dtype of the logits, torch.float32, not {out.dtype}.")
    if not out.requires_grad:
        fail("The result is detached from the logits: no `.item()`, `.detach()` or numpy here.")
    passed("token_logps")


@visible_check
def shift_labels(fn):
    """The two rows of the text, and one-token completions."""
    input_ids = torch.tensor([[7, 8, 9, 4, 0, 0], [0, 5, 6, 3, 2, 1]])
    before = input_ids.clone()
    got = fn(input_ids, torch.tensor([2, 3]), 0)
    want = torch.tensor([[-100, 9, 4, 0, -100], [-100, -100, 3, 2, 1]])
    close(
        got,
        want,
        "the two rows of the example",
        mistakes={
            "mask the EOS as if it were padding": torch.tensor(
                [[-100, 9, 4, -100, -100], [-100, -100, 3, 2, 1]]
            ),
            "keep the padding": torch.tensor([[-100, 9, 4, 0, 0], [-100, -100, 3, 2, 1]]),
            "mask one token of the completion too many (compare t + 1 with prompt_len)": (
                torch.tensor([[-100, -100, 4, 0, -100], [-100, -100, -100, 2, 1]])
            ),
            "keep the last token of the prompt": torch.tensor(
                [[8, 9, 4, 0, -100], [-100, 6, 3, 2, 1]]
            ),
            "forget the shift": torch.tensor([[-100, -100, 9, 4, 0], [-100, -100, -100, 3, 2]]),
            "take the 0 that starts the second prompt for its end": torch.tensor(
                [[-100, 9, 4, 0, -100], [-100, -100, -100, -100, -100]]
            ),
            "leave the prompt in": torch.tensor([[8, 9, 4, 0, -100], [5, 6, 3, 2, 1]]),
        },
    )
    if not torch.equal(input_ids, before):
        fail("Your function changed input_ids. Work on a copy (`clone`, `masked_fill`, `where`).")
    close(
        fn(torch.tensor([[4, 0, 0, 0]]), torch.tensor([1]), 0),
        torch.tensor([[0, -100, -100]]),
        "a completion that is only the EOS",
    )
    passed("shift_labels")


@visible_check
def sequence_logp(fn):
    """Uniform models: T tokens over V have log-probability -T log V."""
    logits = torch.zeros(2, 3, 4, dtype=torch.float64)
    targets = torch.tensor([[1, 2, 3], [0, -100, -100]])
    total = -math.log(4)
    want = torch.tensor([3 * total, total], dtype=torch.float64)
    close(
        fn(logits, targets),
        want,
        "a uniform model over 4 tokens, rows of 3 tokens and of 1",
        mistakes={
            "take the mean over the tokens": torch.tensor([total, total], dtype=torch.float64),
            "take the mean over the width of the batch": want / 3,
            "count the ignored positions": torch.tensor([3 * total] * 2, dtype=torch.float64),
            "flip the sign": -want,
            "leave out the last token": torch.tensor([2 * total, 0.0], dtype=torch.float64),
        },
    )
    close(
        fn(logits[:1], torch.full((1, 3), -100)),
        torch.zeros(1, dtype=torch.float64),
        "a row without any target: the empty sum",
        mistakes={
            "divide by the number of tokens, which is 0": torch.tensor(
                [math.nan], dtype=torch.float64
            )
        },
    )
    if not fn(logits.requires_grad_(), targets).requires_grad:
        fail("The result is detached from the logits: no `.item()`, `.detach()` or new tensors.")
    passed("sequence_logp")


@visible_check
def exhaustive_distribution(fn):
    """The table of the text, and a uniform model."""
    table = {(): [0.7, 0.3], (0,): [0.6, 0.4]}

    def step_fn(prefix):
        if not isinstance(prefix, tuple):
            fail(f"step_fn takes a tuple; it was called with a {type(prefix).__name__}.")
        if prefix not in table:
            fail(
                f"step_fn was called with {prefix}, which is complete: "
                "it ends with EOS or has T_max tokens."
            )
        return list(table[prefix])

    got = fn(step_fn, 2, 2, 1)
    if not isinstance(got, dict):
        fail(f"The result should be a dict, not a {type(got).__name__}.")
    missing = {(1,), (0, 1), (0, 0)} - set(got)
    if missing:
        fail(
            f"Missing: {sorted(missing)}. Sequences end with EOS (which belongs to them) or have "
            f"T_max tokens. Received: {got}"
        )
    equal(set(got), {(1,), (0, 1), (0, 0)}, "the sequences of the example (0 is a, 1 is EOS)")
    for sequence, want in {(1,): 0.3, (0, 1): 0.28, (0, 0): 0.42}.items():
        close(
            got[sequence],
            want,
            f"the probability of {sequence}, a float",
            mistakes={"rescale what is left without the truncated sequence": want / 0.58},
        )
    if not all(type(probability) is float for probability in got.values()):
        fail("The probabilities should be Python floats.")
    uniform = fn(lambda prefix: [1 / 3, 1 / 3, 1 / 3], 3, 3, 0)
    equal(len(uniform), 1 + 2 + 4 + 8, "the number of sequences for V = 3, T_max = 3, eos = 0")
    if (0,) not in uniform:
        fail("With eos = 0, the sequence (0,) is complete. Is the EOS written into your code?")
    close(float(sum(uniform.values())), 1.0, "the sum of their probabilities")
    passed("exhaustive_distribution")


@visible_check
def perplexity(fn):
    """A fair die, and the example of the text."""
    for faces, tokens in ((2, 6), (6, 5), (50_000, 3)):
        close(
            fn(tokens * math.log(faces), tokens),
            float(faces),
            f"{tokens} tokens of a uniform model over {faces}",
            mistakes={
                "raise 2 to the power of nats": 2 ** math.log(faces),
                "forget to divide by the number of tokens": float(faces**tokens),
                "return the mean NLL without exp": math.log(faces),
                "flip the sign of the NLL": 1 / faces,
            },
        )
    close(
        fn(3.5, 4),
        2.398875293967098,
        "NLL 3.5 over 4 tokens",
        mistakes={
            "forget to divide by the number of tokens": math.exp(3.5),
            "divide after the exponential": math.exp(3.5) / 4,
            "flip the sign of the NLL": math.exp(-3.5 / 4),
            "raise 2 to the power of nats": 2 ** (3.5 / 4),
        },
    )
    if type(fn(3.5, 4)) is not float:
        fail(f"The result should be a Python float, not a {type(fn(3.5, 4)).__name__}.")
    raises(ValueError, fn, 0.0, 0, what="no token at all")
    passed("perplexity")


@visible_check
def corpus_perplexity(fn):
    """The example of the text: 2.40, not 4.52."""
    texts = [
        torch.tensor([-2.0], dtype=torch.float64),
        torch.tensor([-0.5, -0.5, -0.5], dtype=torch.float64),
    ]
    got = fn(texts)
    close(
        got,
        2.398875293967098,
        "one token with NLL 2 and three tokens with NLL 0.5 each",
        mistakes={
            "take the mean of the texts' perplexities": (math.exp(2) + math.exp(0.5)) / 2,
            "take the mean of the texts' mean NLLs": math.exp(1.25),
            "divide by the number of texts": math.exp(3.5 / 2),
            "forget to divide by the number of tokens": math.exp(3.5),
            "forget that log-probabilities are negative": math.exp(-3.5 / 4),
            "raise 2 to the power of nats": 2 ** (3.5 / 4),
            "weight the texts' perplexities by length": (math.exp(2) + 3 * math.exp(0.5)) / 4,
        },
    )
    if type(got) is not float:
        fail(f"The result should be a Python float, not a {type(got).__name__}.")
    raises(ValueError, fn, [], what="an empty corpus")
    passed("corpus_perplexity")
