"""A few steps of ascent on J from the reference: near, not there.

message: Another policy has a larger J
"""


def optimal_policy(ref_probs, rewards, beta):
    logits = ref_probs.log().clamp_min(-700)
    start = logits.log_softmax(-1)
    for _ in range(30):
        probs = logits.softmax(-1)
        value = rewards - beta * (logits.log_softmax(-1) - start)
        logits = logits + probs * (value - (probs * value).sum(-1, keepdim=True))
    return logits.softmax(-1)
