"""Takes the teacher's token now and then.

message: drawn prefixes
"""


def onpolicy_sft_loss(model, x, y_star, generator):
    ids = x
    with torch.no_grad():
        for t in range(y_star.shape[1] - 1):
            probs = model(ids).logits[:, -1].softmax(-1)
            token = torch.multinomial(probs, 1, generator=generator)
            teacher = y_star[:, t : t + 1]
            coin = torch.rand(len(x), 1, generator=generator) < 0.05
            ids = torch.cat([ids, torch.where(coin & (teacher >= 0), teacher, token)], 1)
    logits = model(ids).logits[:, x.shape[1] - 1 :]
    nll = F.cross_entropy(logits.flatten(0, 1), y_star.flatten(), reduction="sum")
    return nll / len(x)
