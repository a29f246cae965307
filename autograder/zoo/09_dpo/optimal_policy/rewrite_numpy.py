"""In numpy, one prompt at a time."""


def optimal_policy(ref_probs, rewards, beta):
    import numpy as np

    def one(ref, r):
        with np.errstate(divide="ignore"):
            scores = np.log(ref) + r / beta
        each = np.exp(scores - scores.max())
        return each / each.sum()

    flat = zip(ref_probs.reshape(-1, ref_probs.shape[-1]), rewards.reshape(-1, rewards.shape[-1]))
    rows = [one(a.numpy(), b.numpy()) for a, b in flat]
    return torch.from_numpy(np.stack(rows)).reshape(ref_probs.shape)
