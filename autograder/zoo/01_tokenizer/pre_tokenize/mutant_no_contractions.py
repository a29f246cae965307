"""Forgets rule 1.

message: Rule 1 takes exactly
"""


def pre_tokenize(text):
    return regex.findall(r" ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+", text)
