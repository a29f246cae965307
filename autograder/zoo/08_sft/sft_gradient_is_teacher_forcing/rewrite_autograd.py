"""Differentiates the loss."""


def sft_gradient_is_teacher_forcing(logits, labels):
    leaf = logits.detach().clone().requires_grad_()
    with torch.enable_grad():
        sft_loss(leaf, labels).backward()
    return leaf.grad
