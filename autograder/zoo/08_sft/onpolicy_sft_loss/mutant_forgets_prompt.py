"""Draws without the prompt.

message: drawn prefixes
"""


def onpolicy_sft_loss(model, x, y_star, generator):
    ids = x[:, -1:]
    with torch.no_grad():
        for _ in range(y_star.shape[1] - 1):
            probs = model(ids).logits[:, -1].softmax(-1)
            ids = torch.cat([ids, torch.multinomial(probs, 1, generator=generator)], 1)
    ids = torch.cat([x[:, :-1], ids], 1)
    logits = model(ids).logits[:, x.shape[1] - 1 :]
    nll = F.cross_entropy(logits.flatten(0, 1), y_star.flatten(), reduction="sum")
    return nll / len(x)
