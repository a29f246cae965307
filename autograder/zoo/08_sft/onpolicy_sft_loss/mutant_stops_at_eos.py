"""Drops the terms after an EOS in the sample.

message: dropped the terms after an EOS
"""


def onpolicy_sft_loss(model, x, y_star, generator):
    ids = x
    with torch.no_grad():
        for _ in range(y_star.shape[1] - 1):
            probs = model(ids).logits[:, -1].softmax(-1)
            ids = torch.cat([ids, torch.multinomial(probs, 1, generator=generator)], 1)
    ended = (ids[:, x.shape[1] :] == 1).cumsum(1) > 0
    targets = y_star.clone()
    targets[:, 1:][ended] = -100
    targets[:, 1] = y_star[:, 1] if y_star.shape[1] > 1 else 0
    logits = model(ids).logits[:, x.shape[1] - 1 :]
    nll = F.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="sum")
    return nll / len(x)
