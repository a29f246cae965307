"""Subtracts with scatter_add."""


def sft_gradient_is_teacher_forcing(logits, labels):
    targets = F.pad(labels[:, 1:], (0, 1), value=-100)
    counts = (targets != -100).unsqueeze(-1)
    probs = logits.detach().softmax(dim=-1)
    ones = torch.ones_like(probs[..., :1])
    gradient = probs.scatter_add(-1, targets.clamp(min=0).unsqueeze(-1), -ones)
    return torch.where(counts, gradient / labels.shape[0], torch.zeros_like(gradient))
