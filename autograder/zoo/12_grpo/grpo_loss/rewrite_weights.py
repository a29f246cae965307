"""One vector of weights per norm, over the tokens that count."""


def grpo_loss(
    logps, old_logps, ref_logps, advantages, completion_mask, eps, beta, norm="grpo", max_len=None
):
    row, place = torch.nonzero(completion_mask, as_tuple=True)
    lengths = torch.bincount(row, minlength=len(logps))
    if norm == "grpo":
        weights = 1 / (lengths[row] * len(logps)).to(logps.dtype)
    elif norm == "bnpo":
        weights = 1 / lengths.sum().to(logps.dtype)
    elif norm == "dr_grpo" and max_len is not None:
        weights = 1 / (len(logps) * max_len)
    else:
        raise ValueError("norm")
    lp = logps[row, place]
    A = advantages[row].detach()
    ratio = torch.exp(lp - old_logps[row, place].detach())
    capped = torch.where(A > 0, ratio.clamp(max=1 + eps), ratio.clamp(min=1 - eps))
    terms = -capped * A
    if beta:
        d = ref_logps[row, place].detach() - lp
        terms = terms + beta * (torch.exp(d) - d - 1)
    return (weights * terms).sum()
