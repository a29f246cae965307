"""gather and an explicit sum."""
def shiq_bandit_loss(logits, ref_logits, action, R, beta):
    q = (logits - ref_logits).gather(0, action).mul(beta)
    return (q - R).square().sum() / len(R)
