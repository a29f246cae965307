"""Rule 1 after rule 4, where it never matches.

message: Rule 1 takes exactly
"""


def pre_tokenize(text):
    return regex.findall(r" ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|'s|'t|'re|'ve|'m|'ll|'d|\s+(?!\S)|\s+", text)
