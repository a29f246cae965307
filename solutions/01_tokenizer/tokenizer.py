# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 01 · Tokenizer
#
# Lecture I.A · about 180 minutes, 145 of them for the exercises · 30 points by machine, 4 by hand
#
# **You will be able to**
#
# - train a byte-level BPE tokenizer on real text and get, merge for merge, what a production
#   library gets;
# - encode and decode any text, in any script, without an unknown token;
# - say precisely which tokens a log-probability is about: the shift, the prompt, the padding, the
#   EOS;
# - compute a corpus perplexity, and explain why it cannot compare models with different tokenizers;
# - prove by enumeration that a language model is a probability distribution over sequences.
#
# **You need** Python and a little PyTorch (indexing, `log_softmax`). No earlier assignment.
#
# **Map** the start → **01 · Tokenizer** → 02 · Transformer

# %% nbgrader={"schema_version": 3, "solution": false, "grade": false, "locked": true, "task": false, "grade_id": "setup"}
import math
import platform
from collections import Counter
from collections.abc import Callable
from importlib import metadata, resources
from itertools import pairwise

import matplotlib.pyplot as plt
import regex
import torch

from sft2rl import style, widgets_tokenizer
from sft2rl.checks import tokenizer as check
from sft2rl.widgets import predict

print("python", platform.python_version())
for package in ("torch", "regex", "tokenizers", "transformers"):
    print(package, metadata.version(package))

# %% [markdown]
# ## 1. Text, bytes, ids
#
# A language model never sees text. It sees integers, and it gives back a distribution over
# integers. The **tokenizer** is the dictionary between the two worlds:
#
# $$\text{enc}: \Sigma^* \to \{0, \dots, V-1\}^*, \qquad
# \text{dec}: \{0, \dots, V-1\}^* \to \Sigma^*, \qquad \text{dec}(\text{enc}(x)) = x .$$
#
# $\Sigma^*$ is the set of all finite texts, $V$ the vocabulary size, and the number of ids depends
# on the text. What should one id stand for? There are three simple answers, and each hurts
# somewhere.
#
# | one id per | vocabulary | a text becomes | and what was never seen |
# | --- | --- | --- | --- |
# | word | without bound | short | is unknown: `Wonderlandish` has no id |
# | character | about 150,000 in Unicode | long | is unknown: a new emoji has no id |
# | byte of UTF-8 | 256 | longest | is still bytes: nothing is unknown |
#
# **Byte-pair encoding** (BPE) starts from the 256 bytes, so it can write everything, and then adds
# ids for the byte sequences that occur most often, so that common text becomes short. It was a
# compression trick (Gage, 1994) before it became the standard of language models (Sennrich et al.,
# 2016; byte-level since GPT-2, Radford et al., 2019).
#
# How much longer are bytes than characters? That depends on the script. The next cell counts.

# %% tags=["show"]
SENTENCES = [
    "The rabbit looks at its watch.",
    "Le lapin regarde l'heure à sa montre dorée.",
    "Кролик смотрит на часы.",
    "兎は時計を見て走った。",
    "खरगोश घड़ी देखता है।",
    "🐇 + ⌚ = 🏃‍♀️💨",
]
for sentence in SENTENCES:
    size = len(sentence.encode("utf-8"))
    print(f"{len(sentence):3} characters {size:4} bytes   {sentence}")

# %% [markdown]
# A byte needs an id. This course takes GPT-2's order, so that your tokenizer can be compared with
# the library's. GPT-2 writes every byte as a visible character: the 188 printable bytes as
# themselves (`!` as `!`, `a` as `a`), the other 68 as characters from U+0100 on. The space, byte
# 32, becomes `Ġ` (U+0120), which is why so many token lists on the web are full of `Ġ`. **A byte's
# id is the rank of its mapped character**: `!` has id 0, `a` has id 64, and the space has id 220.
# The mapping itself is clerical work, so here it is, as two dictionaries that you will use all the
# time. Do not change them: whoever needs `BYTE_VOCAB` with more entries starts from a copy.

# %% nbgrader={"schema_version": 3, "solution": false, "grade": false, "locked": true, "task": false, "grade_id": "byte_table"}
# Printable bytes keep their character and come first, in order; the others follow.
PRINTABLE = [*range(33, 127), *range(161, 173), *range(174, 256)]
BYTE_ORDER = PRINTABLE + [byte for byte in range(256) if byte not in PRINTABLE]

BYTE_TO_ID: dict[int, int] = {byte: i for i, byte in enumerate(BYTE_ORDER)}
BYTE_VOCAB: dict[int, bytes] = {i: bytes([byte]) for i, byte in enumerate(BYTE_ORDER)}

print("ids of the bytes of 'a cat!':", [BYTE_TO_ID[byte] for byte in b"a cat!"])
print("id 220 is the byte", BYTE_VOCAB[220], "and id 255 is", BYTE_VOCAB[255])

# %% [markdown]
# Note what a loop over `bytes` gives: integers, not characters. So `BYTE_TO_ID[byte]` works
# directly in `for byte in text.encode("utf-8")`.
#
# Now the text that we train on: the first three chapters of Lewis Carroll's *Alice's Adventures in
# Wonderland* (1865, public domain). Chapter VII, "A Mad Tea-Party", is held out: nothing is ever
# learnt from it.

# %% nbgrader={"schema_version": 3, "solution": false, "grade": false, "locked": true, "task": false, "grade_id": "texts"}
DATA = resources.files("sft2rl") / "data"
ALICE_TRAIN = (DATA / "tokenizer_alice_train.txt").read_text(encoding="utf-8")
ALICE_TEST = (DATA / "tokenizer_alice_test.txt").read_text(encoding="utf-8")

print(f"train: {len(ALICE_TRAIN):,} bytes, held out: {len(ALICE_TEST):,} bytes")
print(ALICE_TRAIN[:282])

# %% [markdown]
# ## 2. Cutting the text into pieces
#
# If merges could join anything, BPE would soon learn tokens such as `dog.`, `dog!` and `dog?`, or
# whole frequent phrases. So the text is first cut into **pre-tokens**, roughly words, and no merge
# ever crosses a cut. GPT-2 cuts with one regular expression. At each position it tries six rules
# *in this order* and takes the first that matches; within a rule it takes as much as the rule
# allows.
#
# | rule | takes | examples (`␣` is a space) |
# | --- | --- | --- |
# | 1 | one of `'s` `'t` `'re` `'ve` `'m` `'ll` `'d`, in lower case | `it's` → `it` `'s` |
# | 2 | an optional space, then one or more letters | `a␣cat` → `a` `␣cat` |
# | 3 | an optional space, then one or more numbers | `in␣1865` → `in` `␣1865` |
# | 4 | an optional space, then one or more of anything that is not white space, letter or number | `well␣--␣no` → `well` `␣--` `␣no` |
# | 5 | a run of white space, if what follows is white space or the end of the text | `a␣␣␣b` → `a` `␣␣` `␣b` |
# | 6 | any other white space | `a⏎b` → `a` `⏎` `b` |
#
# Rule 5 sounds odd and is clever: of several white space characters before a word it leaves the
# last one over, so that this one can join the word, if it is a space. At the end of a text it takes
# the whole run.
#
# The cuts lose nothing: **the pieces, concatenated, are the text**. "Letter" and "number" are
# Unicode's categories: `é`, `兎` and `ß` are letters, `²` and `½` are numbers; `_` is neither, nor
# are the combining marks with which some texts write their accents. Python's own `re` cannot say
# this (its `\w` takes letters, digits and `_` together); the package `regex` can.
#
# | in `regex` | matches |
# | --- | --- |
# | `\p{L}`, `\p{N}` | one letter, one number |
# | `\s`, `\S` | one white space character, one of anything else |
# | `[^\s\p{L}\p{N}]` | one character that is none of these |
# | <code>A&#124;B</code> | A, or if it does not match here, B |
# | `A(?!B)` | A, if no B follows; B is not taken |

# %% tags=["show"]
predict(
    "How does GPT-2 cut 'tis (apostrophe, t, i, s: the start of many an old poem)?",
    ["'tis", "' tis", "'t is", "' t is"],
    answer=2,
    why="Rule 1 comes first, and it finds 't. The rule was made for don't and knows "
    "nothing of poems. A model never sees 'tis as one word.",
)

# %% [markdown]
# ### Exercise: `pre_tokenize` (3 points, 10 minutes, ★)
#
# Write the six rules as one pattern and cut a text with it. `regex.findall(pattern, text)` gives
# all matches in order, or scan the text by hand if you prefer. Two traps: rule 1 is case-sensitive
# (`it'S` is cut into `it`, `'`, `S`), and `str.split` throws the white space away.

# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "pre_tokenize"}
def pre_tokenize(text: str) -> list[str]:
    """Cut a text into pre-tokens with GPT-2's six rules.

    Args:
        text: any string, also an empty one.

    Returns:
        The pieces in order, as strings; none is empty, and "".join(pieces) == text.

    Source: Radford et al. (2019), the pattern of the published GPT-2 encoder.
    """
    ### BEGIN SOLUTION
    contraction = r"'s|'t|'re|'ve|'m|'ll|'d"
    words = r" ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+"
    space = r"\s+(?!\S)|\s+"
    return regex.findall(f"{contraction}|{words}|{space}", text)
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_pre_tokenize", "points": 3}
check.pre_tokenize(pre_tokenize)

# %% [markdown]
# ## 3. Learning the merges
#
# Training repeats three steps: count all neighbouring pairs, take the most frequent pair, replace
# it everywhere by a new id. Here it is by hand, on a text with Alice's own question,
# `Do cats eat bats? Do bats eat cats?`. Its pre-tokens with their frequencies, split into bytes
# (`␣` is a space):
#
# `D·o` 1,  `␣·D·o` 1,  `␣·c·a·t·s` 2,  `␣·e·a·t` 2,  `␣·b·a·t·s` 2,  `?` 2
#
# | step | the most frequent pairs (count) | chosen | its ids | new id |
# | --- | --- | --- | --- | --- |
# | 1 | `a t` (6), `t s` (4), `D o`, `b a`, `c a`, `e a`, ... (2) | `at` | (64, 83) | 256 |
# | 2 | `at s` (4), `D o`, `b at`, `c at`, `e at`, ... (2) | `ats` | (256, 82) | 257 |
# | 3 | `D o`, `b ats`, `c ats`, `e at`, `␣ b`, `␣ c`, `␣ e` (2): a seven-fold tie | `Do` | (35, 78) | 258 |
# | 4 | `b ats`, `c ats`, `e at`, `␣ b`, `␣ c`, `␣ e` (2) | `bats` | (65, 257) | 259 |
#
# Step 1: `a t` counts 6, because three words contain it and each occurs twice. The count of a pair
# is **weighted by the frequency of the word**, and words are counted once, not scanned again and
# again: that makes training fast.
#
# Step 2: the counts have changed. `t s` is gone (its `t` is now inside `at`), `at s` is new.
#
# Step 3: a tie. The slides say "the most frequent pair" and stop there; the lecture's rule has to
# be completed, or two correct programs learn different vocabularies. This course does what the
# `tokenizers` library does: **a tie goes to the smallest pair of ids**, compared as tuples.
# `(35, 78)` is `D o`; pairs that begin with the space, id 220, lose against letters.
#
# ### Exercise: `count_pairs` (2 points, 8 minutes, ★)
#
# Count the neighbouring pairs of all words. Occurrences may **overlap**: the word `aaa` contains
# the pair `(a, a)` twice. Pairs live inside one word; the end of one word and the start of the next
# are not neighbours.

# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "count_pairs"}
def count_pairs(
    word_freqs: dict[tuple[int, ...], int],
) -> dict[tuple[int, int], int]:
    """Count neighbouring pairs of ids, weighted by the frequency of the words.

    Args:
        word_freqs: word (a tuple of token ids) -> how often it occurs (at least 1);
            not changed. A word of one id has no pair.

    Returns:
        (left id, right id) -> number of occurrences in the corpus, overlapping
        occurrences included. Pairs that do not occur are absent. A dict or a Counter.
    """
    ### BEGIN SOLUTION
    counts = Counter()
    for word, frequency in word_freqs.items():
        for pair in pairwise(word):
            counts[pair] += frequency
    return counts
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_count_pairs", "points": 2}
check.count_pairs(count_pairs)

# %% [markdown]
# ### Exercise: `merge_pair` (2 points, 8 minutes, ★)
#
# Counting may overlap, replacing may not: an id can be used up only once. Go **from left to
# right**; where the pair stands, write the new id and jump over both. So `a a a`, with `(a, a)`
# merged to `X`, becomes `X a` and not `a X`. Beware of changing a list while you iterate over it.

# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "merge_pair"}
def merge_pair(ids: list[int], pair: tuple[int, int], new_id: int) -> list[int]:
    """Replace every occurrence of `pair` in `ids` by `new_id`, from left to right.

    Args:
        ids: token ids of one word, possibly empty; not changed.
        pair: the two neighbouring ids to merge.
        new_id: the id that replaces them.

    Returns:
        A new list; occurrences do not overlap, and a `new_id` just written is not
        merged again in the same call.
    """
    ### BEGIN SOLUTION
    merged = []
    i = 0
    while i < len(ids):
        if i + 1 < len(ids) and (ids[i], ids[i + 1]) == pair:
            merged.append(new_id)
            i += 2
        else:
            merged.append(ids[i])
            i += 1
    return merged
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_merge_pair", "points": 2}
check.merge_pair(merge_pair)

# %% [markdown]
# ### Exercise: `train_bpe` (6 points, 30 minutes, ★★★)
#
# Put the pieces together.
#
# 1. Cut every text with `pre_tokenize`, write each piece as a tuple of byte ids, and count how
#    often each occurs.
# 2. Count the pairs. Take the one with the largest count; of several, the smallest `(id_a, id_b)`.
# 3. Give it the next free id: the first merge makes id 256, the second 257, and so on.
# 4. Replace it in all words, and go back to 2. **Count again**: the old counts are stale.
#
# Training ends at the first of three events: the vocabulary has `vocab_size` entries; no pair is
# left; or the best pair occurs less than `max(1, min_frequency)` times (a pair that occurs
# *exactly* `min_frequency` times is still merged).
#
# A full recount after each merge is perfectly good here: a thousand entries on three chapters take
# a few seconds. `min(counts, key=...)` with a tuple as key does the choice in one line.

# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "train_bpe"}
def train_bpe(
    texts: list[str], vocab_size: int, min_frequency: int = 0
) -> tuple[dict[int, bytes], list[tuple[int, int]]]:
    """Learn a byte-level BPE vocabulary.

    Args:
        texts: the corpus. No pair crosses the border of a pre-token or of a text.
        vocab_size: size of the vocabulary to reach, the 256 bytes included; at 256 or
            below, nothing is merged.
        min_frequency: stop when the best pair occurs less than max(1, min_frequency)
            times.

    Returns:
        vocab: id -> bytes, all 256 ids of BYTE_VOCAB and then one id per merge, so
            len(vocab) == 256 + len(merges). A new dict in every call: BYTE_VOCAB itself
            is not changed.
        merges: pairs of ids in the order learnt; merges[k] made the id 256 + k. At each
            step the pair with the largest count, of several the smallest (id_a, id_b).

    Source: Sennrich et al. (2016), algorithm 1; ties as in Hugging Face `tokenizers`.
    """
    ### BEGIN SOLUTION
    words = Counter(
        tuple(BYTE_TO_ID[byte] for byte in piece.encode("utf-8"))
        for text in texts
        for piece in pre_tokenize(text)
    )
    vocab = dict(BYTE_VOCAB)
    merges = []
    while len(vocab) < vocab_size:
        counts = count_pairs(words)
        if not counts:
            break
        best = min(counts, key=lambda pair: (-counts[pair], pair))
        if counts[best] < max(1, min_frequency):
            break
        new_id = len(vocab)
        vocab[new_id] = vocab[best[0]] + vocab[best[1]]
        merges.append(best)
        # Distinct words stay distinct, so no two keys can collide here.
        words = {
            tuple(merge_pair(list(word), best, new_id)): frequency
            for word, frequency in words.items()
        }
    return vocab, merges
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_train_bpe", "points": 6}
check.train_bpe(train_bpe)

# %% [markdown]
# Now train on the three chapters. A thousand entries: 256 bytes and 744 merges.

# %% tags=["show"]
predict(
    "What will the very first merge be, in English prose?",
    ["e + space", "t + h", "space + t", "e + r"],
    answer=2,
    why="th is very frequent, but space + t is even more so: it begins the, to, that, "
    "this and two. e + space is impossible: a space belongs to the word after it.",
)

# %% tags=["train"]
vocab, merges = train_bpe([ALICE_TRAIN], 1000)

# %% tags=["show"]
first = [vocab[256 + k].decode() for k in range(24)]
longest = sorted((vocab[i].decode() for i in range(256, 1000)), key=len)[-12:]
print("first merges :", first)
print("last merges  :", [vocab[i].decode() for i in range(990, 1000)])
print("longest      :", longest)

# %% [markdown]
# Look closely at the first list. Between `in` and `␣w` sits a token of two spaces: chapter III
# prints the Mouse's tale in the shape of a tail, with a great deal of indentation, and the
# tokenizer has learnt it. **A vocabulary is a portrait of its training text**, layout included.
#
# Is this what a production library learns? The `tokenizers` library is written in Rust and trains
# with a priority queue. Same text, same settings, and every merge compared.

# %% tags=["show"]
import json

from tokenizers import Tokenizer, models, pre_tokenizers, trainers

library = Tokenizer(models.BPE())
library.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
library.train_from_iterator(
    [ALICE_TRAIN],
    trainers.BpeTrainer(
        vocab_size=1000,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=[],
        show_progress=False,
    ),
)
library_ids = library.get_vocab()
library_merges = [
    (library_ids[left], library_ids[right])
    for left, right in json.loads(library.to_str())["model"]["merges"]
]
same = sum(ours == theirs for ours, theirs in zip(merges, library_merges, strict=True))
print(f"{same} of {len(library_merges)} merges are the same, in the same order")

# %% [markdown]
# ## 4. Encoding and decoding
#
# Training gave a list of merges *in an order*, and the order is the whole tokenizer. To encode a
# new text, cut it with `pre_tokenize`, write each piece as byte ids, and in each piece repeat: **of
# the pairs that can be merged, merge the one that was learnt first** (the lowest rank), until none
# can.
#
# A worked example. Let `merges` be `[(t, h), (h, e), (e, r)]`, so that `th` has id 256, `he` 257,
# `er` 258.
#
# | word | pairs that can be merged (rank) | step by step | result |
# | --- | --- | --- | --- |
# | `the` | `th` (0), `he` (1) | `th·e` | `th` `e` |
# | `her` | `he` (1), `er` (2) | `he·r` | `he` `r` |
# | `there` | `th` (0), `he` (1), `er` (2) | `th·e·r·e`, then `th·er·e` | `th` `er` `e` |
#
# Three plausible shortcuts are wrong. *The longest token that fits, from the left* is another
# algorithm (WordPiece uses it). *Merging as you go, from the left* commits too early. And *the most
# frequent pair of this text* confuses encoding with training: at encoding time the counts of the
# new text are irrelevant.
#
# ### Exercise: `encode` (4 points, 20 minutes, ★★)
#
# Merges never cross the border of a pre-token, exactly as in training. You may use your
# `pre_tokenize` and `merge_pair`. Any method is fine that gives the ids of the rule above.

# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "encode"}
def encode(text: str, merges: list[tuple[int, int]]) -> list[int]:
    """Turn a text into token ids.

    Args:
        text: any string, also an empty one (which gives an empty list).
        merges: pairs of ids in the order learnt; merges[k] made the id 256 + k. May be
            empty; not changed.

    Returns:
        Token ids, ints: per pre-token its byte ids (BYTE_TO_ID), of which the mergeable
        pair with the lowest k is merged, again and again, until none is left; where it
        occurs several times, from left to right.
    """
    ### BEGIN SOLUTION
    rank = {pair: k for k, pair in enumerate(merges)}
    ids = []
    for piece in pre_tokenize(text):
        word = [BYTE_TO_ID[byte] for byte in piece.encode("utf-8")]
        while mergeable := [pair for pair in pairwise(word) if pair in rank]:
            first_learnt = min(mergeable, key=rank.get)
            word = merge_pair(word, first_learnt, 256 + rank[first_learnt])
        ids.extend(word)
    return ids
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_encode", "points": 4}
check.encode(encode)

# %% [markdown]
# ### Exercise: `decode` (3 points, 8 minutes, ★)
#
# Concatenate the bytes of all tokens, **then** decode UTF-8 once. The order matters: a token may
# hold half a character. The rabbit 🐇 is the four bytes `F0 9F 90 87`; a tokenizer that never saw it
# spends four tokens, none of which is a character by itself.
#
# Not every list of ids is valid UTF-8 (a model may stop in the middle of an emoji). Then
# `errors="replace"` puts `�` (U+FFFD) where bytes make no sense. Nothing else changes: no
# stripping, no clean-up. An id outside the vocabulary is a bug somewhere else, and should be heard
# of: raise `KeyError`.

# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "decode"}
def decode(ids: list[int], vocab: dict[int, bytes]) -> str:
    """Turn token ids back into text.

    Args:
        ids: token ids, possibly none.
        vocab: id -> bytes; not necessarily that of `train_bpe`.

    Returns:
        The bytes of all tokens, joined and then decoded as UTF-8 with errors="replace".

    Raises:
        KeyError: an id is not in `vocab`.
    """
    ### BEGIN SOLUTION
    return b"".join(vocab[i] for i in ids).decode("utf-8", errors="replace")
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_decode", "points": 3}
check.decode(decode)

# %% [markdown]
# Against the library again, on chapter VII, which neither has seen. Then the round trip in all
# scripts, and the price that each pays: the vocabulary was learnt on English.

# %% tags=["show"]
held_out = encode(ALICE_TEST, merges)
agree = held_out == library.encode(ALICE_TEST).ids
print(f"chapter VII: {len(held_out)} tokens; the library gives the same: {agree}")
for sentence in SENTENCES:
    ids = encode(sentence, merges)
    size = len(sentence.encode("utf-8"))
    assert decode(ids, vocab) == sentence
    print(f"{size:4} bytes {len(ids):4} tokens ({size / len(ids):.2f} bytes each)   {sentence}")

# %% tags=["show"]
predict(
    "dec(enc(x)) = x for every text x. Is enc(dec(ids)) = ids for every list of ids?",
    ["Yes", "No"],
    answer=1,
    why="Many lists of ids spell the same text; enc picks one of them. The ids of 't', "
    "'h' and 'e' one by one spell 'the', but enc gives other ids. And ids that are not "
    "UTF-8 lose their bytes.",
)

# %% tags=["show"]
spelled = [BYTE_TO_ID[byte] for byte in b" the"]
print("ids         ", spelled)
print("decoded     ", repr(decode(spelled, vocab)))
print("encoded anew", encode(decode(spelled, vocab), merges))
rabbit = encode("🐇", merges)
print("🐇 has", len(rabbit), "tokens; three of them give", repr(decode(rabbit[:3], vocab)))

# %% [markdown]
# **Play.** Type a sentence and press play: your `encode` runs with the first $k$ merges, for every
# $k$ that changes something. Find a word that ends as one token. Try `rabbit` with and without a
# space before it, in capitals, in your own language, and an emoji.

# %% tags=["show"]
widgets_tokenizer.merge_stepper(
    encode, vocab, merges, "Alice thought the rabbit was curious."
)

# %% [markdown]
# How large should the vocabulary be? The next plot shows tokens per word (white-space separated)
# against the vocabulary size, on the chapters that trained the tokenizer and on the one that did
# not.

# %% tags=["show"]
predict(
    "With 1000 entries, the training chapters need 1.8 tokens per word. Chapter VII?",
    ["1.8: the same book, the same author", "about 2.2", "about 4"],
    answer=1,
    why="A tokenizer overfits too: its later merges are words of the training text, and "
    "chapter VII has its own (Hatter, Dormouse, tea). Early merges are English and hold "
    "everywhere.",
)

# %% [markdown]
# *Figure: two falling curves, tokens per word against vocabulary size from 256 to 1000 on a
# logarithmic axis. Both start near 5.5; the curve of the training chapters falls to 1.8, that of
# the held-out chapter to 2.2, and the gap between them widens.*

# %% tags=["show"]
SIZES = [256, 300, 360, 450, 600, 800, 1000]
fig, ax = style.figure(
    "Tokens per word fall as the vocabulary grows",
    "vocabulary size (entries)",
    "tokens per word",
)
CHAPTERS = {"train (I-III)": ALICE_TRAIN, "held out (VII)": ALICE_TEST}
for name, text in CHAPTERS.items():
    words = len(text.split())
    ax.plot(
        SIZES,
        [len(encode(text, merges[: size - 256])) / words for size in SIZES],
        marker="o",
        label=name,
    )
ax.set_xscale("log")
ax.set_xticks(SIZES, [str(size) for size in SIZES])
ax.minorticks_off()
ax.legend()
plt.show()

# %% [markdown]
# Shorter sequences make training and generation cheaper, but every entry needs an embedding and a
# column in the output layer, and a rare token is rarely trained. Large models of today settle
# between 30,000 and 260,000 entries.
#
# ## 5. From logits to the log-probability of a sequence
#
# Now the model. After the prompt $x$ and the tokens $y_{<t}$, it gives one **logit** $\ell(v)$ for
# each $v$ in the vocabulary $\mathcal{V}$. The softmax makes them probabilities, and the chain rule
# makes a probability of a sequence $y = (y_1, \dots, y_T)$:
#
# $$\pi(v \mid x, y_{<t}) = \frac{e^{\ell(v)}}{\sum_{v'} e^{\ell(v')}}, \qquad
# \log \pi(y \mid x) = \sum_{t=1}^{T} \log \pi(y_t \mid x, y_{<t}) .$$
#
# Logarithms are natural here, as everywhere in the course. A sum of logarithms stays a reasonable
# number where a product of a thousand probabilities is 0 in floating point.
#
# A worked example with $V = 3$: the logits $(2, 1, 0)$ give the probabilities
# $(0.665, 0.245, 0.090)$ and the log-probabilities $(-0.408, -1.408, -2.408)$: logits minus
# $\log \sum_v e^{\ell(v)} = 2.408$. Adding 1000 to all three logits changes nothing in this
# formula, but $e^{1000}$ overflows in a computer. And with logits $(0, -1000, -1000)$, the second
# probability rounds to 0 and its logarithm to $-\infty$, where the truth is $-1000$. So: never
# `log(softmax(...))`; use `log_softmax` or `logsumexp`.
#
# In the whole course, the target $-100$ means "nothing to predict here" (a Hugging Face
# convention). The arguments are **aligned**: `logits[b, t]` predicts `targets[b, t]`.
#
# ### Exercise: `token_logps` (2 points, 10 minutes, ★)
#
# Pick the log-probability of each target. At ignored positions the result is exactly 0, whatever
# the logits are: models do put NaN at padded positions, and NaN times 0 is NaN, so select instead
# of multiplying. `gather` needs valid indices: $-100$ is none, so give it some valid one there.

# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "token_logps"}
def token_logps(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Log-probability of each target token.

    Args:
        logits: [B, T, V], floating point, any scale.
        targets: [B, T], torch.long: an id in 0..V-1, or -100 where ignored; aligned
            with `logits` (no shift happens here); not changed.

    Returns:
        [B, T], the dtype of `logits`, differentiable with respect to `logits`: natural
        log-probabilities, and exactly 0.0 where the target is -100 (also if the logits
        there are NaN). The gradient there is 0 if the logits are finite, and free if
        they are not (a masked NaN may come back as NaN).
    """
    ### BEGIN SOLUTION
    ignored = targets == -100
    index = targets.masked_fill(ignored, 0).unsqueeze(-1)
    logps = logits.log_softmax(dim=-1).gather(-1, index).squeeze(-1)
    return logps.masked_fill(ignored, 0.0)
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_token_logps", "points": 2}
check.token_logps(token_logps)

# %% [markdown]
# Where do targets come from? A model that reads ids at positions $0, \dots, T-1$ gives $T$ rows of
# logits, and **row $t$ predicts the token at $t+1$**. The last row predicts something that we do
# not have; the first token is predicted by nobody. So targets are the ids moved by one, aligned
# with `logits[:, :-1]`. In this course one function does this shift, and it must happen exactly
# once.
#
# Of the predicted tokens, only the **completion** counts: not the prompt, which the user wrote, and
# not the padding, which nobody wrote. The completion **includes the EOS** that ends it: to stop is
# a decision of the model and has a probability.
#
# GPT-2 and many others have no padding token, so people pad with the EOS id. Then padding and the
# true EOS look the same, and a model trained with every EOS masked never learns to stop. The rule
# that keeps both apart: **the first EOS after the prompt is real, what follows is padding.** (With
# a padding token of its own, one would simply mask that token.)
#
# A worked example with EOS = pad = 0 and prompts of 2 and 3 tokens (the second begins with 0, used
# as a start-of-text token, as GPT-2 does):
#
# | | position | 0 | 1 | 2 | 3 | 4 | 5 |
# | --- | --- | --- | --- | --- | --- | --- | --- |
# | row 1 | `input_ids` | 7 | 8 | 9 | 4 | 0 | 0 |
# | | `targets` | -100 | 9 | 4 | 0 | -100 | |
# | row 2 | `input_ids` | 0 | 5 | 6 | 3 | 2 | 1 |
# | | `targets` | -100 | -100 | 3 | 2 | 1 | |
#
# Row 1 ends at position 4, its first 0 after the prompt. Row 2 was cut off at the width of the
# batch: it has no EOS, and all of its completion counts.
#
# ### Exercise: `shift_labels` (2 points, 15 minutes, ★★)
#
# Make the targets. Think about which *token* is masked, not which position: `targets[:, t]` is the
# token at position `t + 1`, so it belongs to the prompt if `t + 1 < prompt_len`.

# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "shift_labels"}
def shift_labels(
    input_ids: torch.Tensor, prompt_len: torch.Tensor, pad_id: int
) -> torch.Tensor:
    """Targets for `logits[:, :-1]`: the next token, -100 on prompt and padding.

    Args:
        input_ids: [B, T], torch.long, T >= 2: prompt, completion, padding on the right;
            not changed.
        prompt_len: [B], torch.long: tokens of the prompt in each row, at least 1.
        pad_id: the padding id, which is the EOS id, too. After the prompt, its first
            occurrence is the EOS that ends the completion; only padding follows it. A
            row without it was cut off, and counts to its end. Within the prompt it is
            an ordinary token.

    Returns:
        [B, T - 1], torch.long: targets[:, t] is input_ids[:, t + 1] where that token
        belongs to the completion (EOS included), and -100 elsewhere.
    """
    ### BEGIN SOLUTION
    position = torch.arange(input_ids.shape[1], device=input_ids.device)
    after_prompt = position >= prompt_len.unsqueeze(1)
    ends = (input_ids == pad_id) & after_prompt
    # Ends strictly before a position: 0 up to the EOS itself, more behind it.
    ends_before = ends.long().cumsum(dim=1) - ends.long()
    completion = after_prompt & (ends_before == 0)
    return input_ids.masked_fill(~completion, -100)[:, 1:]
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_shift_labels", "points": 2}
check.shift_labels(shift_labels)

# %% [markdown]
# ### Exercise: `sequence_logp` (2 points, 8 minutes, ★★)
#
# The log-probability of each sequence of a batch: **the sum** over the tokens that count, EOS
# included. Not the mean: dividing by the length makes it the logarithm of nothing in particular.
# Everything that comes later, from DPO to policy gradients, stands on this one function. You may
# use `token_logps`.

# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "sequence_logp"}
def sequence_logp(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Log-probability of each sequence, log pi(y | x).

    Args:
        logits: [B, T, V], floating point.
        targets: [B, T], torch.long, aligned with `logits`, -100 where ignored; not
            changed.

    Returns:
        [B], the dtype of `logits`, differentiable with respect to `logits`: the sum of
        the token log-probabilities over targets that are not -100 (the logits at ignored
        positions may be NaN); 0.0 for a row without any target.
    """
    ### BEGIN SOLUTION
    return token_logps(logits, targets).sum(dim=-1)
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_sequence_logp", "points": 2}
check.sequence_logp(sequence_logp)

# %% [markdown]
# A check against a real architecture: a tiny GPT-2 with random weights. Hugging Face models shift
# **inside**, so they want `labels` that are *not* shifted, and return the mean over the tokens that
# count. Hand them shifted targets, and everything is shifted twice: no error, a plausible loss, and
# a model that learns to predict the token after next.

# %% tags=["show"]
from transformers import GPT2Config, GPT2LMHeadModel

with torch.random.fork_rng():
    torch.manual_seed(0)
    config = GPT2Config(
        vocab_size=11, n_embd=16, n_layer=1, n_head=2, bos_token_id=0, eos_token_id=0
    )
    tiny = GPT2LMHeadModel(config)
tiny.eval()
tiny.loss_type = "ForCausalLM"
input_ids = torch.tensor([[7, 8, 9, 4, 0, 0], [0, 5, 6, 3, 2, 1]])
targets = shift_labels(input_ids, torch.tensor([2, 3]), pad_id=0)
labels = torch.cat([torch.full((2, 1), -100), targets], dim=1)
with torch.no_grad():
    output = tiny(input_ids, labels=labels)
    twice = tiny(input_ids[:, :-1], labels=targets).loss
ours = -sequence_logp(output.logits[:, :-1], targets).sum() / (targets != -100).sum()
print(f"our mean negative log-likelihood {ours:.6f}")
print(f"Hugging Face, labels not shifted {output.loss:.6f}")
print(f"Hugging Face, shifted twice      {twice:.6f}")

# %% [markdown]
# ## 6. All sequences together
#
# Is $\pi(y \mid x)$ a probability distribution over *sequences*? With a tiny vocabulary we can list
# them all. A sequence ends with EOS, or it is cut off at $T_{\max}$ tokens. Take $V = 2$, tokens
# `a` = 0 and EOS = 1, $T_{\max} = 2$; the model gives `a` the probability 0.7 at the start and 0.6
# after `a`:
#
# | sequence | ends by | probability |
# | --- | --- | --- |
# | EOS | EOS | 0.3 |
# | a, EOS | EOS | 0.7 × 0.4 = 0.28 |
# | a, a | cut-off | 0.7 × 0.6 = 0.42 |
#
# Together 1. The slide's factorisation leaves $T$ open; here we see what it must mean. **$y_T$ is
# the EOS, or $T = T_{\max}$**: leave the truncated sequence out, and 0.58 remains; go on after EOS,
# and sequences are counted that no model emits.
#
# Exact enumeration is the measuring instrument of this course: expectations, gradients and optimal
# policies of later assignments will be tested against sums over all sequences, with no sampling
# noise at all.
#
# ### Exercise: `exhaustive_distribution` (2 points, 15 minutes, ★★)
#
# List all sequences with their probabilities. The model is a function: `step_fn(prefix)` takes the
# tokens so far, a tuple of ints (`()` at the start), and returns the list of $V$ next-token
# probabilities. Recursion, a stack or a queue will do. Do not rescale the result: if the sum is not
# 1, something is missing.

# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "exhaustive_distribution"}
def exhaustive_distribution(
    step_fn: Callable[[tuple[int, ...]], list[float]], V: int, T_max: int, eos: int
) -> dict[tuple[int, ...], float]:
    """Probability of every complete sequence.

    Args:
        step_fn: prefix (a tuple of ints, shorter than T_max, without eos) -> the
            probabilities of the next token, a list of V positive floats that sum to 1.
        V: vocabulary size; tokens are 0..V-1.
        T_max: largest number of tokens, at least 1.
        eos: the token that ends a sequence, in 0..V-1.

    Returns:
        sequence (a tuple of ints) -> its probability (a float). The sequences are those
        that end with eos (eos included, nowhere else), of 1 to T_max tokens, and those
        of T_max tokens without eos.
    """
    ### BEGIN SOLUTION
    distribution = {}

    def extend(prefix: tuple[int, ...], probability: float) -> None:
        if len(prefix) == T_max or (prefix and prefix[-1] == eos):
            distribution[prefix] = probability
            return
        for token, conditional in enumerate(step_fn(prefix)):
            extend((*prefix, token), probability * conditional)

    extend((), 1.0)
    return distribution
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_exhaustive_distribution", "points": 2}
check.exhaustive_distribution(exhaustive_distribution)

# %% [markdown]
# The tiny GPT-2 is such a model, too. Restricted to its first four tokens, EOS = 0, at most 3
# tokens, after the prompt `7 8`: your enumeration and your `sequence_logp` must give the same
# probabilities.

# %% tags=["show"]
PROMPT = [7, 8]


def tiny_step(prefix: tuple[int, ...]) -> list[float]:
    with torch.no_grad():
        logits = tiny(torch.tensor([[*PROMPT, *prefix]])).logits[0, -1, :4]
    return logits.double().softmax(-1).tolist()


exact = exhaustive_distribution(tiny_step, V=4, T_max=3, eos=0)
y = max((word for word in exact if len(word) == 3), key=exact.get)
with torch.no_grad():
    logits = tiny(torch.tensor([[*PROMPT, *y]])).logits[:, 1:-1, :4].double()
print(f"{len(exact)} sequences, total probability {sum(exact.values()):.12f}")
print(f"the most probable one of 3 tokens is {y}: {exact[y]:.6f} by enumeration,")
again = sequence_logp(logits, torch.tensor([y])).exp().item()
print(f"and {again:.6f} by sequence_logp")

# %% [markdown]
# ## 7. Perplexity
#
# How surprised is the model by a text? The **perplexity** is the exponential of the mean negative
# log-likelihood (NLL) per token:
#
# $$\text{PPL} = \exp\Big(\frac{1}{T} \sum_{t=1}^{T} -\log \pi(y_t \mid y_{<t})\Big)
# = \Big(\prod_{t=1}^{T} \pi(y_t \mid y_{<t})\Big)^{-1/T} .$$
#
# A model that always spreads its probability evenly over $V$ tokens has perplexity $V$: read the
# number as "as uncertain as a fair die with that many faces". The product form is for short texts
# only: it underflows.
#
# A corpus has many texts. Its perplexity is *not* the mean of theirs: every **token** counts the
# same, so
#
# $$\text{PPL}_{\text{corpus}} = \exp\Big(\frac{\sum_n \text{NLL}_n}{\sum_n T_n}\Big) .$$
#
# Take a text of one token with NLL 2 and a text of three tokens with NLL 0.5 each. Before you run
# the next cell: which number is the perplexity of the two together?

# %% tags=["show"]
predict(
    "A text of 1 token with NLL 2, one of 3 tokens with NLL 0.5 each: together?",
    [
        "exp(3.5 / 4) = 2.40",
        "(exp(2) + exp(0.5)) / 2 = 4.52",
        "exp((2 + 0.5) / 2) = 3.49",
        "exp(3.5) = 33.1",
    ],
    answer=0,
    why="3.5 nats over 4 tokens. The mean of the two perplexities, 4.52, lets the short "
    "text count as much as the long one; exp of the sum is an inverse probability, not "
    "yet per token.",
)

# %% [markdown]
# ### Exercise: `perplexity` (1 point, 5 minutes, ★)
#
# From a sum of negative log-likelihoods and a number of tokens. Natural logarithms in, so `exp` out
# (with `2 **`, the NLL would have to be in bits). The perplexity of no token is undefined: raise
# `ValueError`.

# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "perplexity"}
def perplexity(nll_sum: float, num_tokens: int) -> float:
    """Perplexity per token.

    Args:
        nll_sum: sum of -log pi over all tokens, in nats (natural logarithm).
        num_tokens: how many tokens were summed, at least 1.

    Returns:
        exp(nll_sum / num_tokens), a Python float.

    Raises:
        ValueError: num_tokens is less than 1.
    """
    ### BEGIN SOLUTION
    if num_tokens < 1:
        raise ValueError("perplexity needs at least one token")
    return math.exp(nll_sum / num_tokens)
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_perplexity", "points": 1}
check.perplexity(perplexity)

# %% [markdown]
# ### Exercise: `corpus_perplexity` (1 point, 8 minutes, ★)
#
# The perplexity of several texts together, from the log-probabilities of their tokens. Mind the
# sign: these are log-probabilities, at most 0, not NLLs.

# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "corpus_perplexity"}
def corpus_perplexity(list_of_logps: list[torch.Tensor]) -> float:
    """Perplexity per token of several texts together.

    Args:
        list_of_logps: one tensor per text, [T_n] with its own length T_n >= 1: the
            natural log-probabilities of its tokens.

    Returns:
        exp(total NLL / total number of tokens), a Python float: each token counts the
        same, whichever text it is in.

    Raises:
        ValueError: there is no text at all.
    """
    ### BEGIN SOLUTION
    nll_sum = sum(-logps.sum().item() for logps in list_of_logps)
    num_tokens = sum(logps.numel() for logps in list_of_logps)
    return perplexity(nll_sum, num_tokens)
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_corpus_perplexity", "points": 1}
check.corpus_perplexity(corpus_perplexity)

# %% [markdown]
# Now a language model for Alice, small enough to train by counting. A **bigram model** predicts the
# next token from the present one. Counts alone would give most pairs probability 0, so the count of
# the pair $(u, v)$ is mixed with the frequency $p(v)$, itself smoothed a little so that none is 0 (a
# Dirichlet prior worth 30 tokens; MacKay and Peto, 1995):
#
# $$\pi(v \mid u) = \frac{c(u, v) + 30 \, p(v)}{c(u) + 30} .$$
#
# The logarithms of the numerators serve as logits: the softmax divides by their sum.


# %% tags=["show"]
def bigram_logits(ids: list[int], size: int) -> torch.Tensor:
    """Logits [V, V] of a bigram model: row u is about the token after u."""
    sequence = torch.tensor(ids)
    unigram = torch.bincount(sequence, minlength=size).double() + 0.1
    table = (30 * unigram / unigram.sum()).repeat(size, 1)
    once = torch.ones(len(ids) - 1, dtype=torch.float64)
    table.index_put_((sequence[:-1], sequence[1:]), once, accumulate=True)
    return table.log()


def bigram_logps(table: torch.Tensor, ids: list[int]) -> torch.Tensor:
    """Log-probabilities of all tokens but the first, through your token_logps."""
    sequence = torch.tensor(ids)
    return token_logps(table[sequence[:-1]].unsqueeze(0), sequence[1:].unsqueeze(0))[0]


alice = bigram_logits(encode(ALICE_TRAIN, merges), len(vocab))
for name, text in CHAPTERS.items():
    logps = bigram_logps(alice, encode(text, merges))
    print(f"{name:14}: perplexity {corpus_perplexity([logps]):6.1f} per token")

# %% [markdown]
# **Play.** Which words surprise the model? Orange tokens cost many bits. Type a sentence of the
# book, then the same words backwards, then a sentence from today's news.

# %% tags=["show"]
def score(text: str) -> list[tuple[bytes, float]]:
    ids = encode(text, merges)
    if len(ids) < 2:
        return []
    bits = -bigram_logps(alice, ids) / math.log(2)
    return [(vocab[i], b) for i, b in zip(ids[1:], bits.tolist(), strict=True)]


widgets_tokenizer.surprise_map(score, "The Hatter opened his eyes very wide.")

# %% [markdown]
# One model per vocabulary size now: the same bigram recipe, the same chapters, tokenizers of 256 to
# 1000 entries.

# %% tags=["show"]
predict(
    "As the vocabulary grows from 256 to 1000, the held-out perplexity per token will",
    ["fall: a better tokenizer makes a better model", "rise", "stay about the same"],
    answer=1,
    why="It rises about tenfold, though the models get better. A longer token holds more "
    "text, so there is more to be uncertain about in each, and there are fewer of them.",
)

# %% [markdown]
# Perplexity per token is a number per *token*, and the token changed. To compare, use a unit that
# does not change: **bits per byte** of the text,
#
# $$\text{BPB} = \frac{-\log_2 \pi(\text{text})}{\text{bytes of the text}}
# = \frac{T}{\text{bytes}} \cdot \log_2 \text{PPL} .$$
#
# *Figure: two panels against the vocabulary size, each with a curve for training and held-out text.
# Left, perplexity per token: the held-out curve rises from about 12 to about 120. Right, bits per
# byte: the held-out curve falls from 3.6 to 2.7. In both, the curve of the training text runs
# lower, and ever more so.*

# %% tags=["show"]
results = {name: [] for name in CHAPTERS}
for size in SIZES:
    prefix = merges[: size - 256]
    table = bigram_logits(encode(ALICE_TRAIN, prefix), size)
    for name, text in CHAPTERS.items():
        logps = bigram_logps(table, encode(text, prefix))
        bits = -logps.sum().item() / math.log(2)
        results[name].append((corpus_perplexity([logps]), bits / len(text)))

style.use()
fig, axes = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
labels = ["perplexity (per token)", "bits per byte"]
titles = ["Perplexity per token misleads", "Bits per byte compare"]
for panel, ax in enumerate(axes):
    for name, values in results.items():
        ax.plot(SIZES, [value[panel] for value in values], marker="o", label=name)
    ax.set(
        title=titles[panel],
        xlabel="vocabulary size (entries)",
        ylabel=labels[panel],
        xscale="log",
    )
    ax.set_xticks(SIZES, [str(size) for size in SIZES])
    ax.minorticks_off()
    ax.legend()
plt.show()

# %% [markdown]
# ### Question (4 points, 15 minutes)
#
# Two models are evaluated on the same held-out text of 12,000 bytes. The tokenizer of model A cuts
# it into 5,000 tokens, and A has perplexity 40 per token. The tokenizer of model B has a larger
# vocabulary and cuts it into 3,000 tokens; B has perplexity 300 per token.
#
# 1. Which model gives the text the higher probability? Show the numbers, in bits per byte.
# 2. Explain in two or three sentences why the perplexity per token pointed the other way.
# 3. Model C reports fewer bits per byte than both. Its tokenizer first turns everything to lower
#    case and replaces each word outside a fixed list by one token `<unk>`. Why does its number not
#    count, and which property of a tokenizer would you ask for before you compare at all?

# %% [markdown] nbgrader={"schema_version": 3, "solution": true, "grade": true, "locked": false, "task": false, "grade_id": "written_perplexity", "points": 4}
# **Model answer.**
#
# 1. Total code length in bits is $T \log_2 \text{PPL}$. A:
#    $5000 \cdot \log_2 40 = 5000 \cdot 5.322 = 26{,}610$ bits, $26{,}610 / 12{,}000 = 2.22$ bits
#    per byte. B: $3000 \cdot \log_2 300 = 3000 \cdot 8.229 = 24{,}686$ bits, 2.06 bits per byte. B
#    needs fewer bits, so B gives the text the higher probability, by a factor of about $2^{1923}$.
# 2. Perplexity is normalised by the number of tokens, and that number depends on the tokenizer.
#    Each token of B covers 4 bytes on average, each of A only 2.4; predicting a longer piece is
#    harder, so the uncertainty per token is larger, but there are fewer tokens to be uncertain
#    about. Only quantities with the same denominator (the total, or per byte, character or word of
#    the same text) can be compared.
# 3. C does not assign a probability to the text but to an impoverished version of it: capital
#    letters are free, and every hard word costs only one predictable `<unk>`. Many texts share one
#    encoding. The property to ask for is that the tokenizer is lossless,
#    $\text{dec}(\text{enc}(x)) = x$ for the texts compared, as byte-level BPE is by construction.
#    (Even then, what we measure is the probability of *one* tokenisation of the text, a lower bound
#    on the probability of the text.)
#
# **Rubric.**
#
# - 1 point: bits per byte of both, 2.22 and 2.06 (rounding aside; nats per byte, 1.54 and 1.43, are
#   as good), with the formula or the steps shown.
# - 1 point: concludes that B gives the text the higher probability, because of fewer bits in total.
# - 1 point: the denominator differs: fewer, longer tokens, so more uncertainty in each; per-token
#   numbers of different tokenizers are not comparable.
# - 1 point: C scores another, easier text; asks for losslessness, dec(enc(x)) = x. (Half a point
#   for one of the two.)

# %% [markdown]
# ## 8. Where the slides need care
#
# - **enc and dec.** The slide maps $\Sigma$ to $\{1, \dots, |V|\}^n$. The domain is the set of
#   texts $\Sigma^*$, $n$ depends on the text, and ids in code begin at 0. "Ideally dec(enc(x)) = x"
#   holds always for byte-level BPE. The other order, enc(dec(ids)) = ids, does not.
# - **"Repeatedly merge frequent adjacent pairs"** leaves open: pre-tokenisation, how overlaps
#   count, ties, and when to stop. Section 3 fixes all four; with another rule for ties, a different
#   vocabulary comes out.
# - **The length T in the factorisation.** $y_T$ is the EOS or the last token that fits. Without the
#   EOS term the probabilities of all sequences do not add up to 1 (section 6).
# - **Mean or sum.** The slide on factorisation defines a loss with $1/T$ and calls it
#   $\mathcal{L}$; the slides on pretraining and SFT use a sum. `sequence_logp` is a sum, always. A
#   mean is taken, and named, where a loss wants one.
# - **Perplexity as "the inverse probability normalised by the number of tokens"** means a geometric
#   mean, the power $-1/T$, not a division by $T$. For a corpus, sum first and divide once.
# - **"The lower the perplexity, the better the model"** holds for the same text cut by the same
#   tokenizer.
#
# ## What you have learnt
#
# A tokenizer is a list of merges in an order, learnt by counting. You have built one that agrees
# with a production library in every merge and every id, and have seen that it is a portrait of its
# training text. You know which tokens a log-probability is about, have checked that all sequences
# together have probability 1, and can say what a perplexity can compare and what it cannot.
# `token_logps`, `shift_labels` and `sequence_logp` come back in every assignment from supervised
# fine-tuning on.
#
# **Further reading**
#
# - P. Gage, *A New Algorithm for Data Compression*, The C Users Journal, 1994: where byte pairs
#   come from.
# - R. Sennrich, B. Haddow, A. Birch, *Neural Machine Translation of Rare Words with Subword Units*,
#   ACL 2016: algorithm 1 is the training loop of section 3.
# - A. Radford et al., *Language Models are Unsupervised Multitask Learners*, 2019, section 2.2:
#   byte-level BPE and why pieces must not be merged across categories.
# - K. Cao, L. Rimell, *You should evaluate your language model on marginal likelihood over
#   tokenisations*, EMNLP 2021: the probability of a text is a sum over all its tokenisations.
# - D. MacKay, L. Bauman Peto, *A Hierarchical Dirichlet Language Model*, Natural Language
#   Engineering, 1995: the smoothing of section 7.
#
# **Next:** the network that produces the logits: attention and the transformer block (02), and how
# it knows about positions (03).
