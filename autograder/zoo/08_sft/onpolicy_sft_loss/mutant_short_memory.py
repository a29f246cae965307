"""Draws each token from the last five tokens only.

message: the whole prompt
"""


def onpolicy_sft_loss(model, x, y_star, generator):
    ids = x
    with torch.no_grad():
        for _ in range(y_star.shape[1] - 1):
            probs = model(ids[:, -5:]).logits[:, -1].softmax(-1)
            ids = torch.cat([ids, torch.multinomial(probs, 1, generator=generator)], 1)
    logits = model(ids).logits[:, x.shape[1] - 1 :]
    return F.cross_entropy(logits.transpose(1, 2), y_star, reduction="sum") / len(x)
