"""Log-probabilities instead of probabilities.

message: softmax minus one-hot
"""


def sft_gradient_is_teacher_forcing(logits, labels):
    targets = labels[:, 1:]
    counts = targets != -100
    one_hot = F.one_hot(targets.masked_fill(~counts, 0), logits.shape[-1])
    surprise = logits[:, :-1].detach().log_softmax(-1) - one_hot
    surprise = surprise.masked_fill(~counts.unsqueeze(-1), 0.0)
    return F.pad(surprise, (0, 0, 0, 1)) / len(labels)
