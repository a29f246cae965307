"""Subtracts nothing where nothing counts, but keeps the softmax there.

message: 0 elsewhere
"""


def sft_gradient_is_teacher_forcing(logits, labels):
    targets = labels[:, 1:]
    counts = (targets != -100).unsqueeze(-1)
    one_hot = F.one_hot(targets.clamp(min=0), logits.shape[-1]) * counts
    gradient = torch.zeros_like(logits)
    gradient[:, :-1] = logits[:, :-1].detach().softmax(-1) - one_hot
    return gradient / len(labels)
