"""Lets the gradient into the reference.

message: detach
"""

def dpo_loss(chosen_logps, rejected_logps, ref_chosen_logps, ref_rejected_logps, beta):
    m = (chosen_logps - ref_chosen_logps) - (rejected_logps - ref_rejected_logps)
    return F.softplus(-beta * m).mean()
