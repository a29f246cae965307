"""Each completion is compared with the reference of the other one.

message: added instead of subtracted
"""

def dpo_loss(chosen_logps, rejected_logps, ref_chosen_logps, ref_rejected_logps, beta):
    h_w = chosen_logps - ref_rejected_logps.detach()
    h_l = rejected_logps - ref_chosen_logps.detach()
    return F.softplus(-beta * (h_w - h_l)).mean()
