"""sigma(-z) = 1 - sigma(z), through the implicit rewards."""


def dpo_loss_gradient(
    chosen_logps, rejected_logps, ref_chosen_logps, ref_rejected_logps,
    beta,
):
    w = implicit_reward(chosen_logps, ref_chosen_logps, beta)
    l = implicit_reward(rejected_logps, ref_rejected_logps, beta)
    up = (1 - bt_probability(w, l)) * beta / w.numel()
    return -up, up
