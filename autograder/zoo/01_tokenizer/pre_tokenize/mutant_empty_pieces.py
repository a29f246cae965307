"""Splits with a capturing group and keeps the empty strings in between.

message: none of them empty
"""


def pre_tokenize(text):
    pattern = r"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)"
    return regex.split(pattern, text)
