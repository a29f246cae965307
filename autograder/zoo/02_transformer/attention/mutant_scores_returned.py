"""Returns the scores as weights.

message: Scores are returned
"""


def attention(q, k, v, mask=None):
    scores = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
    if mask is not None:
        scores = scores.masked_fill(~mask, -math.inf)
    return scores.softmax(-1) @ v, q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
