"""Uses one random number per row for all of its steps.

message: same random number twice
"""


def onpolicy_sft_loss(model, x, y_star, generator):
    ids, u = x, torch.rand(len(x), 1, generator=generator, dtype=torch.float64)
    with torch.no_grad():
        for _ in range(y_star.shape[1] - 1):
            below = model(ids).logits[:, -1].double().softmax(-1).cumsum(-1)
            drawn = (below < u).sum(-1, keepdim=True).clamp(max=below.shape[-1] - 1)
            ids = torch.cat([ids, drawn], 1)
    logits = model(ids).logits[:, x.shape[1] - 1 :]
    return F.cross_entropy(logits.transpose(1, 2), y_star, reduction="sum") / len(x)
