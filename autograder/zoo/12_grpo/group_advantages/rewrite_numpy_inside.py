"""Through numpy."""


def group_advantages(rewards, scale="std", ddof=1, eps=1e-4):
    if rewards.shape[1] < 2 or scale not in {"std", "none"}:
        raise ValueError("bad arguments")
    R = rewards.detach().numpy()
    A = R - R.mean(axis=1, keepdims=True)
    if scale == "std":
        with np.errstate(all="ignore"):
            A = A / (R.std(axis=1, ddof=ddof, keepdims=True) + eps)
    A = np.where(np.ptp(R, axis=1, keepdims=True) == 0, 0.0, A)
    return torch.from_numpy(A).to(rewards.dtype)
