"""exp over a sum.

message: does not overflow
"""


def sft_gradient_is_teacher_forcing(logits, labels):
    targets = labels[:, 1:]
    counts = targets != -100
    one_hot = F.one_hot(targets.masked_fill(~counts, 0), logits.shape[-1])
    probs = logits[:, :-1].detach().exp()
    probs = probs / probs.sum(-1, keepdim=True)
    surprise = (probs - one_hot).masked_fill(~counts.unsqueeze(-1), 0.0)
    return F.pad(surprise, (0, 0, 0, 1)) / len(labels)
