"""Autograd on the mean loss."""


def dpo_loss_gradient(
    chosen_logps, rejected_logps, ref_chosen_logps, ref_rejected_logps,
    beta,
):
    a = chosen_logps.detach().clone().requires_grad_()
    b = rejected_logps.detach().clone().requires_grad_()
    h = a - ref_chosen_logps - b + ref_rejected_logps
    return torch.autograd.grad(F.softplus(-beta * h).mean(), (a, b))
