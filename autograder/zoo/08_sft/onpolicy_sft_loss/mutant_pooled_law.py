"""Draws all rows from the batch's mean probabilities.

message: drawn prefixes
"""


def onpolicy_sft_loss(model, x, y_star, generator):
    ids = x
    with torch.no_grad():
        for _ in range(y_star.shape[1] - 1):
            probs = model(ids).logits[:, -1].softmax(-1).mean(0)
            token = torch.multinomial(probs, len(x), True, generator=generator)
            ids = torch.cat([ids, token.unsqueeze(1)], 1)
    logits = model(ids).logits[:, x.shape[1] - 1 :]
    nll = F.cross_entropy(logits.flatten(0, 1), y_star.flatten(), reduction="sum")
    return nll / len(x)
