"""The squared loss of IPO.

message: IPO
"""

def dpo_loss(chosen_logps, rejected_logps, ref_chosen_logps, ref_rejected_logps, beta):
    m = (chosen_logps - ref_chosen_logps.detach()) - (rejected_logps - ref_rejected_logps.detach())
    return ((m - 1 / (2 * beta)) ** 2).mean()
