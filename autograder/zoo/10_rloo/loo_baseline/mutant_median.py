"""The median of the others.

message: mean reward of the other
"""


def loo_baseline(rewards):
    if rewards.shape[1] < 2:
        raise ValueError("K must be at least 2")

    K = rewards.shape[1]
    return torch.stack(
        [
            rewards[:, [j for j in range(K) if j != i]].median(1).values
            for i in range(K)
        ],
        1,
    )
