"""One loss per position, after the drawing."""


def onpolicy_sft_loss(model, x, y_star, generator):
    ids = x
    for _ in range(y_star.shape[1] - 1):
        probs = model(ids).logits[:, -1].softmax(-1).detach()
        ids = torch.cat([ids, torch.multinomial(probs, 1, generator=generator)], 1)
    terms = []
    for t in range(y_star.shape[1]):
        here = model(ids[:, : x.shape[1] + t]).logits[:, -1]
        terms.append(F.cross_entropy(here, y_star[:, t], reduction="none"))
    return torch.stack(terms).sum(0).mean()
