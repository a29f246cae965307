"""Right positions, but argmax does not take a boolean mask.

message: convert it before you compute
"""


def sequence_reward(hidden, attention_mask, w):
    from_end = torch.flip(attention_mask, dims=[1]).argmax(1)
    last = hidden.shape[1] - 1 - from_end
    return hidden[torch.arange(len(hidden)), last] @ w
