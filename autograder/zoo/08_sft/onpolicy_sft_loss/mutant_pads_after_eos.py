"""Fills the sample with EOS after its first one.

message: padded the sample with EOS
"""


def onpolicy_sft_loss(model, x, y_star, generator):
    ids = x
    ended = torch.zeros(len(x), 1, dtype=torch.bool)
    with torch.no_grad():
        for _ in range(y_star.shape[1] - 1):
            probs = model(ids).logits[:, -1].softmax(-1)
            token = torch.multinomial(probs, 1, generator=generator)
            token = torch.where(ended, 1, token)
            ended = ended | (token == 1)
            ids = torch.cat([ids, token], 1)
    logits = model(ids).logits[:, x.shape[1] - 1 :]
    nll = F.cross_entropy(logits.flatten(0, 1), y_star.flatten(), reduction="sum")
    return nll / len(x)
