"""Draws only the last token of each prefix.

message: drawn prefixes
"""


def onpolicy_sft_loss(model, x, y_star, generator):
    total = 0.0
    for t in range(y_star.shape[1]):
        ids = torch.cat([x, y_star[:, : max(0, t - 1)].clamp(min=0)], 1)
        if t > 0:
            with torch.no_grad():
                probs = model(ids).logits[:, -1].softmax(-1)
            ids = torch.cat([ids, torch.multinomial(probs, 1, generator=generator)], 1)
        logits = model(ids).logits[:, -1]
        total = total + F.cross_entropy(logits, y_star[:, t], reduction="sum")
    return total / len(x)
