"""Draws and scores in one loop."""


def onpolicy_sft_loss(model, x, y_star, generator):
    ids, total = x, 0.0
    for t in range(y_star.shape[1]):
        logits = model(ids).logits[:, -1]
        total = total + F.cross_entropy(logits, y_star[:, t], reduction="sum")
        if t + 1 < y_star.shape[1]:
            probs = logits.detach().softmax(-1)
            ids = torch.cat([ids, torch.multinomial(probs, 1, generator=generator)], 1)
    return total / len(y_star)
