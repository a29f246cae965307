"""Caps the log-ratio at 20 nats.

message: nothing is capped
"""


def shiq_residuals(logits, ref_logits, actions, rewards, mask, beta, gamma=1.0):
    def chosen(x):
        return x.log_softmax(-1).gather(-1, actions[..., None])[..., 0]

    h = (chosen(logits) - chosen(ref_logits)).clamp(-20, 20)
    v = logits.logsumexp(-1) - ref_logits.logsumexp(-1)
    delta = discounted_returns(rewards - beta * h, mask, gamma) - beta * v
    return torch.where(mask.bool(), delta, 0.0)
