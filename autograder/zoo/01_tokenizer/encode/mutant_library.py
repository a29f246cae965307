"""Asks the library.

message: tokenizers
"""


def encode(text, merges):
    from tokenizers import Tokenizer, models, pre_tokenizers

    name = dict(enumerate(sorted(pre_tokenizers.ByteLevel.alphabet())))
    for k, (a, b) in enumerate(merges):
        name[256 + k] = name[a] + name[b]
    model = models.BPE({n: i for i, n in name.items()}, [(name[a], name[b]) for a, b in merges])
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    return tokenizer.encode(text).ids
