"""Relaxes the sampling, so that a gradient flows through it.

message: constants
"""


def onpolicy_sft_loss(model, x, y_star, generator):
    ids, weights = x, []
    for _ in range(y_star.shape[1] - 1):
        logits = model(ids).logits[:, -1]
        u = torch.rand(logits.shape, generator=generator, dtype=logits.dtype)
        soft = (logits - (-u.log()).log()).softmax(-1)
        token = soft.argmax(-1, keepdim=True)
        weights.append(soft.gather(-1, token))
        ids = torch.cat([ids, token], 1)
    logits = model(ids).logits[:, x.shape[1] - 1 :]
    nll = F.cross_entropy(logits.transpose(1, 2), y_star, reduction="none")
    if weights:
        through = torch.cat(weights, 1)
        through = 1 + through - through.detach()
        nll = torch.cat([nll[:, :1], nll[:, 1:] * through], 1)
    return nll.sum(1).mean()
