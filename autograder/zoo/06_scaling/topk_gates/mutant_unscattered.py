"""Returns the gates of the winners only, [T, k].

message: shape
"""


def topk_gates(s, k):
    return s.topk(k, dim=-1).values.softmax(-1)
