"""Draws uniformly.

message: drawn prefixes
"""


def onpolicy_sft_loss(model, x, y_star, generator):
    V = model(x).logits.shape[-1]
    shape = (len(x), y_star.shape[1] - 1)
    ids = torch.cat([x, torch.randint(V, shape, generator=generator)], 1)
    logits = model(ids).logits[:, x.shape[1] - 1 :]
    nll = F.cross_entropy(logits.flatten(0, 1), y_star.flatten(), reduction="sum")
    return nll / len(x)
