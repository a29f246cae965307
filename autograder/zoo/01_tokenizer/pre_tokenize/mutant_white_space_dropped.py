"""Forgets rule 6, so that a line end before a word is lost.

message: every character belongs to a piece
"""


def pre_tokenize(text):
    return regex.findall(r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)", text)
