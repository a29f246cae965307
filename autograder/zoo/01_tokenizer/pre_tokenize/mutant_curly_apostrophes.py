"""Takes typographic apostrophes for straight ones.

message: any other apostrophe
"""


def pre_tokenize(text):
    return regex.findall(r"""['\u2019](?:s|t|re|ve|m|ll|d)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+""", text)
