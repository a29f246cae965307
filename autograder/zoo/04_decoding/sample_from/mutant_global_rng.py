"""Draws with the global generator.

message: first index whose cumulative sum
"""


def sample_from(probs, u):
    return torch.multinomial(probs.reshape(-1, probs.shape[-1]), 1).view(u.shape)
