"""Never merges.

message: did not merge anything
"""


def encode(text, merges):
    return [BYTE_TO_ID[b] for b in text.encode("utf-8")]
