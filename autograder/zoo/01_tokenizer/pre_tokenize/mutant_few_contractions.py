"""Knows only 's and 't.

message: 's 't 're 've 'm 'll 'd
"""


def pre_tokenize(text):
    return regex.findall(r"'s|'t| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+", text)
