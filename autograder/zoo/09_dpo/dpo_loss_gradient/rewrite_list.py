"""A list of two tensors, the weight by the hyperbolic tangent."""


def dpo_loss_gradient(
    chosen_logps, rejected_logps, ref_chosen_logps, ref_rejected_logps,
    beta,
):
    h = (chosen_logps - rejected_logps) - (ref_chosen_logps - ref_rejected_logps)
    weight = 0.5 * (1 - torch.tanh(0.5 * beta * h))
    return [weight * (-beta / len(h)), weight * (beta / len(h))]
