"""Draws each token after the teacher's prefix.

message: drawn prefixes
"""


def onpolicy_sft_loss(model, x, y_star, generator):
    teacher = torch.cat([x, y_star[:, :-1].clamp(min=0)], 1)
    with torch.no_grad():
        probs = model(teacher).logits[:, x.shape[1] - 1 : -1].softmax(-1)
        flat = probs.reshape(-1, probs.shape[-1])
        tokens = x[:, :0]
        if len(flat):
            tokens = torch.multinomial(flat, 1, generator=generator).view(len(x), -1)
    ids = torch.cat([x, tokens], 1)
    logits = model(ids).logits[:, x.shape[1] - 1 :]
    nll = F.cross_entropy(logits.flatten(0, 1), y_star.flatten(), reduction="sum")
    return nll / len(x)
