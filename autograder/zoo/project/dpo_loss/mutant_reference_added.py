"""Adds the reference's difference.

message: added instead of subtracted
"""

def dpo_loss(chosen_logps, rejected_logps, ref_chosen_logps, ref_rejected_logps, beta):
    m = chosen_logps - rejected_logps + (ref_chosen_logps - ref_rejected_logps).detach()
    return F.softplus(-beta * m).mean()
