"""Rolls: a label at position 0 reaches the last logits.

message: at the last position
"""


def sft_gradient_is_teacher_forcing(logits, labels):
    targets = labels.roll(-1, 1)
    counts = targets != -100
    one_hot = F.one_hot(targets.masked_fill(~counts, 0), logits.shape[-1])
    gradient = logits.detach().softmax(-1) - one_hot
    return gradient.masked_fill(~counts.unsqueeze(-1), 0.0) / len(labels)
