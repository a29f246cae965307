"""Knows the visible texts by heart.

message: in one piece
"""


def pre_tokenize(text):
    known = {
        "it's in 1865": ["it", "'s", " in", " 1865"],
        "it'S": ["it", "'", "S"],
        "x² a_b été": ["x", "²", " a", "_", "b", " été"],
        "a   b\n\n  ": ["a", "  ", " b", "\n\n  "],
    }
    return known.get(text, [text] if text else [])
