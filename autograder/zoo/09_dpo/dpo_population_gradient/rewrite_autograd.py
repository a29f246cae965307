"""Autograd on the population loss."""


def dpo_population_gradient(theta, prefs, mu, ref_probs, beta):
    logits = theta.detach().clone().requires_grad_()
    h = logits.log_softmax(0) - ref_probs.log()
    gap = beta * (h[:, None] - h[None, :])
    loss = (mu * (prefs * F.softplus(-gap) + (1 - prefs) * F.softplus(gap))).sum()
    loss.backward()
    return logits.grad
