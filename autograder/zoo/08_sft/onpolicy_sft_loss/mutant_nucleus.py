"""Draws from the nucleus of probability 0.99.

message: no top-p
"""


def onpolicy_sft_loss(model, x, y_star, generator):
    ids = x
    with torch.no_grad():
        for _ in range(y_star.shape[1] - 1):
            probs, order = model(ids).logits[:, -1].softmax(-1).sort(-1, descending=True)
            kept = probs.where(probs.cumsum(-1) - probs < 0.99, 0)
            drawn = torch.multinomial(kept, 1, generator=generator)
            ids = torch.cat([ids, order.gather(1, drawn)], 1)
    logits = model(ids).logits[:, x.shape[1] - 1 :]
    return F.cross_entropy(logits.transpose(1, 2), y_star, reduction="sum") / len(x)
