"""Strips the text first.

message: every character belongs to a piece
"""


def pre_tokenize(text):
    text = text.strip()
    return regex.findall(r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+", text)
