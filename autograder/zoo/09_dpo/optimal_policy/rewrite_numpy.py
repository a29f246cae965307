"""In numpy, one prompt at a time."""


def optimal_policy(ref_probs, rewards, beta):
    import numpy as np

    def one(ref, r):
        with np.errstate(divide="ignore"):
            scores = np.log(ref) + r / beta
        each = np.exp(scores - scores.max())
        return each / each.sum()

    if ref_probs.ndim == 1:
        return torch.from_numpy(one(ref_probs.numpy(), rewards.numpy()))
    rows = [one(a, b) for a, b in zip(ref_probs.numpy(), rewards.numpy())]
    return torch.from_numpy(np.stack(rows))
