"""torch's own KL divergence."""


def kl_objective(probs, ref_probs, rewards, beta):
    kl = F.kl_div(ref_probs.log(), probs, reduction="none").sum(-1)
    return torch.linalg.vecdot(probs, rewards) - beta * kl
