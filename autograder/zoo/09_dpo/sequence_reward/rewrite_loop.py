"""A loop over the rows."""


def sequence_reward(hidden, attention_mask, w):
    rewards = []
    for states, mask in zip(hidden, attention_mask):
        last = [t for t, real in enumerate(mask.tolist()) if real][-1]
        rewards.append((states[last] * w).sum())
    return torch.stack(rewards)
