"""Asks the library.

message: tokenizers
"""

from tokenizers import pre_tokenizers


def pre_tokenize(text):
    cutter = pre_tokenizers.ByteLevel(add_prefix_space=False)
    return [text[a:b] for _, (a, b) in cutter.pre_tokenize_str(text)]
