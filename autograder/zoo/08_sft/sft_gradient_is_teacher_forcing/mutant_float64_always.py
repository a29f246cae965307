"""Stays in float64.

message: dtype
"""


def sft_gradient_is_teacher_forcing(logits, labels):
    targets = labels[:, 1:]
    counts = targets != -100
    one_hot = F.one_hot(targets.masked_fill(~counts, 0), logits.shape[-1])
    surprise = logits[:, :-1].detach().double().softmax(-1) - one_hot
    surprise = surprise.masked_fill(~counts.unsqueeze(-1), 0.0)
    return F.pad(surprise, (0, 0, 0, 1)) / len(labels)
