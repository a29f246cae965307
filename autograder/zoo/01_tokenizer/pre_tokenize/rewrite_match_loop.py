"""Tries the six rules one by one at each position."""


def pre_tokenize(text):
    rules = [
        regex.compile(rule)
        for rule in (
            r"'(?:s|t|re|ve|m|ll|d)",
            r" ?\p{L}+",
            r" ?\p{N}+",
            r" ?[^\s\p{L}\p{N}]+",
            r"\s+(?!\S)",
            r"\s+",
        )
    ]
    pieces = []
    position = 0
    while position < len(text):
        match = next(m for rule in rules if (m := rule.match(text, position)))
        pieces.append(match.group(0))
        position = match.end()
    return pieces
