"""Takes combining marks for parts of a letter.

message: combining marks are neither
"""


def pre_tokenize(text):
    return regex.findall(r"'s|'t|'re|'ve|'m|'ll|'d| ?[\p{L}\p{M}]+| ?\p{N}+| ?[^\s\p{L}\p{N}\p{M}]+|\s+(?!\S)|\s+", text)
