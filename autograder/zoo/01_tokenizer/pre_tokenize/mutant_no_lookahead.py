"""Forgets rule 5: a run of white space stays whole.

message: Rule 5
"""


def pre_tokenize(text):
    return regex.findall(r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+", text)
