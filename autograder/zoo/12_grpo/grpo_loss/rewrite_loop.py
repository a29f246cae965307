"""Completion by completion, token by token."""


def grpo_loss(
    logps, old_logps, ref_logps, advantages, completion_mask, eps, beta, norm="grpo", max_len=None
):
    if norm not in {"grpo", "bnpo", "dr_grpo"} or (norm == "dr_grpo" and not max_len):
        raise ValueError(norm)
    B, total, averages = len(logps), 0.0 * logps[0, 0].detach(), 0.0 * logps[0, 0].detach()
    for i in range(B):
        places = torch.nonzero(completion_mask[i]).flatten()
        if len(places) == 0:
            continue
        lp, old = logps[i, places], old_logps[i, places].detach()
        A, r = advantages[i].detach(), (lp - old).exp()
        terms = torch.max(-A * r, -A * r.clamp(1 - eps, 1 + eps))
        if beta > 0:
            gap = ref_logps[i, places].detach() - lp
            terms = terms + beta * (gap.exp() - 1 - gap)
        total, averages = total + terms.sum(), averages + terms.mean()
    if norm == "grpo":
        return averages / B
    return total / (completion_mask.sum() if norm == "bnpo" else B * max_len)
