"""Implicit rewards in the reward-model loss, pair by pair."""


def dpo_loss(
    chosen_logps, rejected_logps, ref_chosen_logps, ref_rejected_logps,
    beta, reduction="mean",
):
    if reduction not in ("none", "sum", "mean"):
        raise ValueError(reduction)
    chosen = implicit_reward(chosen_logps, ref_chosen_logps.detach(), beta)
    rejected = implicit_reward(rejected_logps, ref_rejected_logps.detach(), beta)
    if reduction == "mean":
        return reward_model_loss(chosen, rejected)
    each = [reward_model_loss(c[None], r[None]) for c, r in zip(chosen, rejected)]
    losses = torch.stack(each)
    return losses.sum() if reduction == "sum" else losses
