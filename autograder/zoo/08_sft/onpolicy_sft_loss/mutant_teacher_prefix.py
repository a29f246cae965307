"""Conditions on the teacher's prefix: SFT.

message: that is SFT
"""


def onpolicy_sft_loss(model, x, y_star, generator):
    ids = torch.cat([x, y_star[:, :-1].clamp(min=0)], 1)
    logits = model(ids).logits[:, x.shape[1] - 1 :]
    nll = F.cross_entropy(logits.flatten(0, 1), y_star.flatten(), reduction="sum")
    return nll / len(x)
