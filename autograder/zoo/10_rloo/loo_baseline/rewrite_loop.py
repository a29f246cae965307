"""A mean over the others for each sample."""


def loo_baseline(rewards):
    if rewards.shape[1] < 2:
        raise ValueError("K must be at least 2")

    K = rewards.shape[1]
    columns = [rewards[:, [j for j in range(K) if j != i]].mean(1) for i in range(K)]
    return torch.stack(columns, dim=1)
