"""Puts the gradient at the label's own position.

message: 0 elsewhere
"""


def sft_gradient_is_teacher_forcing(logits, labels):
    counts = labels != -100
    one_hot = F.one_hot(labels.masked_fill(~counts, 0), logits.shape[-1])
    gradient = logits.detach().softmax(-1) - one_hot
    return gradient.masked_fill(~counts.unsqueeze(-1), 0.0) / len(labels)
