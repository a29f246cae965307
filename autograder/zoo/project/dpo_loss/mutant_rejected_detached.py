"""Pushes only the chosen completion.

message: in the chosen, plus in the rejected
"""

def dpo_loss(chosen_logps, rejected_logps, ref_chosen_logps, ref_rejected_logps, beta):
    m = (chosen_logps - ref_chosen_logps.detach()) - (rejected_logps - ref_rejected_logps).detach()
    return F.softplus(-beta * m).mean()
