"""Compares uniform numbers with the cumulative distribution."""


def onpolicy_sft_loss(model, x, y_star, generator):
    ids = x
    for _ in range(y_star.shape[1] - 1):
        with torch.no_grad():
            law = model(ids).logits[:, -1].double().softmax(-1).cumsum(-1)
        u = torch.rand(len(x), 1, generator=generator, dtype=torch.float64)
        token = torch.searchsorted(law, u * law[:, -1:], right=True)
        ids = torch.cat([ids, token.clamp(max=law.shape[1] - 1)], 1)
    logps = model(ids).logits[:, x.shape[1] - 1 :].log_softmax(-1)
    keep = y_star != -100
    picked = logps.gather(-1, y_star.clamp(min=0).unsqueeze(-1)).squeeze(-1)
    return -torch.where(keep, picked, torch.zeros_like(picked)).sum(1).mean()
