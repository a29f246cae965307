"""Draws at temperature 0.95.

message: no top-k
"""


def onpolicy_sft_loss(model, x, y_star, generator):
    ids = x
    with torch.no_grad():
        for _ in range(y_star.shape[1] - 1):
            probs = (model(ids).logits[:, -1] / 0.95).softmax(-1)
            ids = torch.cat([ids, torch.multinomial(probs, 1, generator=generator)], 1)
    logits = model(ids).logits[:, x.shape[1] - 1 :]
    return F.cross_entropy(logits.transpose(1, 2), y_star, reduction="sum") / len(x)
