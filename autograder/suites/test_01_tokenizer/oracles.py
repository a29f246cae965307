"""What several sections compare with: the `tokenizers` library, and one merge written out."""

import json
import os
from itertools import pairwise, product

from tokenizers import Tokenizer, models, pre_tokenizers, trainers

from autograder.suite import Draw

# The corpora are tiny, and the library's threads would only disturb the grader's forks.
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

Pair = tuple[int, int]
Word = tuple[int, ...]

_BYTE_LEVEL = pre_tokenizers.ByteLevel(add_prefix_space=False)
_PRINTABLE = [*range(33, 127), *range(161, 173), *range(174, 256)]
_HIDDEN = [byte for byte in range(256) if byte not in _PRINTABLE]
_CHARACTER = {
    **{byte: chr(byte) for byte in _PRINTABLE},
    **{byte: chr(256 + i) for i, byte in enumerate(_HIDDEN)},
}
# A byte's id is the rank of its mapped character among the library's alphabet.
_RANK = {char: i for i, char in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
ID = {byte: _RANK[char] for byte, char in _CHARACTER.items()}
BYTE_VOCAB = {ID[byte]: bytes([byte]) for byte in range(256)}
_BYTE = {char: byte for byte, char in _CHARACTER.items()}


def library_pieces(text: str) -> list[str]:
    """The pre-tokens of the library, as slices of the text."""
    return [text[start:end] for _, (start, end) in _BYTE_LEVEL.pre_tokenize_str(text)]


def library_training(
    texts: list[str], vocab_size: int, min_frequency: int = 0
) -> tuple[dict[int, bytes], list[Pair]]:
    """(vocab, merges) as the library learns them, in the form of `train_bpe`."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = _BYTE_LEVEL
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        min_frequency=min_frequency,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=[],
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    ids = tokenizer.get_vocab()
    vocab = {i: bytes(_BYTE[char] for char in token) for token, i in ids.items()}
    learnt = json.loads(tokenizer.to_str())["model"]["merges"]
    return vocab, [(ids[left], ids[right]) for left, right in learnt]


def library_encoding(text: str, merges: list[Pair]) -> list[int]:
    """The ids that the library gives with these merges."""
    token = {i: _CHARACTER[data[0]] for i, data in BYTE_VOCAB.items()}
    for k, (left, right) in enumerate(merges):
        token[256 + k] = token[left] + token[right]
    tokenizer = Tokenizer(
        models.BPE(
            vocab={name: i for i, name in token.items()},
            merges=[(token[left], token[right]) for left, right in merges],
        )
    )
    tokenizer.pre_tokenizer = _BYTE_LEVEL
    return tokenizer.encode(text).ids


def ids_of(text: str) -> list[int]:
    """The byte ids of a text."""
    return [ID[byte] for byte in text.encode("utf-8")]


def merged(word: Word, pair: Pair, new_id: int) -> Word:
    """The word with the pair replaced from the left."""
    result: list[int] = []
    for each in word:
        result.append(each)
        # A pair that ends in an id just written would be an overlap.
        if tuple(result[-2:]) == pair:
            result[-2:] = [-1]
    return tuple(new_id if each == -1 else each for each in result)


def counted(words: dict[Word, int]) -> dict[Pair, int]:
    """Pair counts, in the order in which a scan meets the pairs."""
    counts: dict[Pair, int] = {}
    for word, frequency in words.items():
        for pair in pairwise(word):
            counts[pair] = counts.get(pair, 0) + frequency
    return counts


def mixed_text(draw: Draw, fragments: list[str], count: int) -> str:
    """All fragments once, and words between them, in a keyed order."""
    return "".join(draw.shuffled([*fragments, *(" " + draw.word() for _ in range(count))]))


def complete_sequences(v: int, t_max: int, eos: int) -> list[Word]:
    """Every sequence that ends with its first eos, or has t_max tokens and no eos."""
    found = set()
    for word in product(range(v), repeat=t_max):
        found.add(word[: word.index(eos) + 1] if eos in word else word)
    return sorted(found)
