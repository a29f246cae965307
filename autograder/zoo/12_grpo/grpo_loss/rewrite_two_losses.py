"""Policy part and penalty are reduced apart."""


def grpo_loss(
    logps, old_logps, ref_logps, advantages, completion_mask, eps, beta, norm="grpo", max_len=None
):
    keep = completion_mask > 0

    def reduce(x):
        x = torch.where(keep, x, torch.zeros_like(x))
        if norm == "grpo":
            return (x.sum(-1) / torch.clamp(keep.sum(-1), min=1)).sum() / x.shape[0]
        if norm == "bnpo":
            return x.sum() / keep.sum()
        if norm == "dr_grpo" and max_len is not None:
            return x.sum() / x.shape[0] / max_len
        raise ValueError("norm")

    zero = torch.zeros_like(logps)
    lp, old = torch.where(keep, logps, zero), torch.where(keep, old_logps.detach(), zero)
    r, A = (lp - old).exp(), advantages.detach().view(-1, 1)
    policy = -reduce(torch.min(r * A, torch.clamp(r, 1 - eps, 1 + eps) * A))
    if beta == 0:
        return policy
    d = torch.where(keep, ref_logps.detach(), zero) - lp
    return policy + beta * reduce(d.exp() - d - 1)
