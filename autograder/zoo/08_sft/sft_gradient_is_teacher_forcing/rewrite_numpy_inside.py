"""Through numpy and back."""


def sft_gradient_is_teacher_forcing(logits, labels):
    import numpy as np

    x = logits.detach().numpy().astype(np.float64)
    e = np.exp(x - x.max(-1, keepdims=True))
    p = e / e.sum(-1, keepdims=True)
    y = labels.numpy()
    out = np.zeros_like(p)
    rows, places = np.nonzero(y[:, 1:] != -100)
    out[rows, places] = p[rows, places]
    out[rows, places, y[rows, places + 1]] -= 1
    return torch.from_numpy(out / len(y)).to(logits.dtype)
