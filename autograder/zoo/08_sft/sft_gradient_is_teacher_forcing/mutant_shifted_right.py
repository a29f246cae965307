"""Right numbers, one position too late.

message: one position earlier
"""


def sft_gradient_is_teacher_forcing(logits, labels):
    targets = labels[:, 1:]
    counts = targets != -100
    one_hot = F.one_hot(targets.masked_fill(~counts, 0), logits.shape[-1])
    gradient = torch.zeros_like(logits)
    surprise = logits[:, :-1].detach().softmax(-1) - one_hot
    gradient[:, 1:] = surprise.masked_fill(~counts.unsqueeze(-1), 0.0)
    return gradient / len(labels)
