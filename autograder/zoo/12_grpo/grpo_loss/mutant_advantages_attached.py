"""Lets a gradient reach the advantages.

message: are constants
"""


def grpo_loss(
    logps, old_logps, ref_logps, advantages, completion_mask, eps, beta, norm="grpo", max_len=None
):
    if norm not in ("grpo", "bnpo", "dr_grpo"):
        raise ValueError("unknown norm")
    if norm == "dr_grpo" and max_len is None:
        raise ValueError("dr_grpo needs max_len")
    keep = completion_mask.bool()
    m = keep.to(logps.dtype)
    ratio = torch.exp(torch.where(keep, logps - old_logps.detach(), 0.0))
    A = advantages.unsqueeze(1)
    loss = -torch.minimum(ratio * A, ratio.clamp(1 - eps, 1 + eps) * A)
    if beta != 0:
        d = torch.where(keep, ref_logps.detach() - logps, 0.0)
        loss = loss + beta * (d.exp() - d - 1)
    if norm == "grpo":
        return ((loss * m).sum(1) / m.sum(1).clamp(min=1)).mean()
    if norm == "bnpo":
        return (loss * m).sum() / m.sum()
    return (loss * m).sum() / (len(m) * max_len)
