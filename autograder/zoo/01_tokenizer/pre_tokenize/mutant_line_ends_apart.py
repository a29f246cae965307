"""Takes line ends one by one.

message: Rule 5 is a run of white space
"""


def pre_tokenize(text):
    return regex.findall(r"""'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\n|[^\S\n]+(?!\S)|\s+""", text)
