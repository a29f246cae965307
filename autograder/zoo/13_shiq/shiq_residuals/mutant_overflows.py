"""Computes the value by exp, sum and log.

message: do not overflow
"""


def shiq_residuals(logits, ref_logits, actions, rewards, mask, beta, gamma=1.0):
    def chosen(x):
        return x.log_softmax(-1).gather(-1, actions[..., None])[..., 0]

    h = chosen(logits) - chosen(ref_logits)
    v = logits.exp().sum(-1).log() - ref_logits.exp().sum(-1).log()
    delta = discounted_returns(rewards - beta * h, mask, gamma) - beta * v
    return torch.where(mask.bool(), delta, 0.0)
