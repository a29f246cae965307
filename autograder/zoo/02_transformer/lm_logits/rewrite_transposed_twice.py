"""(W^T h^T)^T, flattened."""


def lm_logits(h, W_U):
    flat = h.reshape(-1, h.shape[-1])
    return (W_U.T @ flat.T).T.reshape(*h.shape[:-1], W_U.shape[1])
