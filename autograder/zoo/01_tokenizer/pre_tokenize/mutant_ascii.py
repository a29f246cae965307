"""Letters are a-z, numbers 0-9.

message: are other sets
"""


def pre_tokenize(text):
    return regex.findall(r"'s|'t|'re|'ve|'m|'ll|'d| ?[A-Za-z]+| ?[0-9]+| ?[^\sA-Za-z0-9]+|\s+(?!\S)|\s+", text)
