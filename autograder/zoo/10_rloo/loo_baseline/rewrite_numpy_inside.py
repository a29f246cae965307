"""Through numpy and back."""


def loo_baseline(rewards):
    if rewards.shape[1] < 2:
        raise ValueError("K must be at least 2")

    array = rewards.detach().numpy().astype(np.float64)
    others = (array.sum(1, keepdims=True) - array) / (array.shape[1] - 1)
    return torch.from_numpy(others).to(rewards.dtype)
