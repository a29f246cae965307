"""beta squared outside."""
def shiq_bandit_loss(logits, ref_logits, action, R, beta):
    return beta**2 * ((R / beta - logits[action] + ref_logits[action]) ** 2).mean()
