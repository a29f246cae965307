"""Adds the score term: gradient through the sampling.

message: constants
"""


def onpolicy_sft_loss(model, x, y_star, generator):
    ids = x
    with torch.no_grad():
        for _ in range(y_star.shape[1] - 1):
            probs = model(ids).logits[:, -1].softmax(-1)
            ids = torch.cat([ids, torch.multinomial(probs, 1, generator=generator)], 1)
    logits = model(ids).logits[:, x.shape[1] - 1 :]
    nll = F.cross_entropy(logits.transpose(1, 2), y_star, reduction="none").sum(1)
    logps = logits[:, :-1].log_softmax(-1)
    drawn = ids[:, x.shape[1] :].unsqueeze(-1)
    logp = logps.gather(-1, drawn).sum((1, 2))
    return (nll + nll.detach() * (logp - logp.detach())).mean()
