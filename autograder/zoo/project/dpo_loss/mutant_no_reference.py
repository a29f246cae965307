"""Leaves out the reference.

message: reference is missing
"""

def dpo_loss(chosen_logps, rejected_logps, ref_chosen_logps, ref_rejected_logps, beta):
    return F.softplus(-beta * (chosen_logps - rejected_logps)).mean()
