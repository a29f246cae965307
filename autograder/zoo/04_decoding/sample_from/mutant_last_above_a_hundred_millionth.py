"""At the upper end, ignores tokens below 1e-8.

message: last token of positive
"""


def sample_from(probs, u):
    above = probs.cumsum(-1) > u[..., None]
    back = (probs > 1e-8).flip(-1).int().argmax(-1)
    last = probs.shape[-1] - 1 - back
    return torch.where(above.any(-1), above.int().argmax(-1), last)
