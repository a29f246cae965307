"""ln Z = ln pi_ref + R / beta - ln pi* at the most likely completion."""


def log_partition(ref_probs, rewards, beta):
    scores = ref_probs.log() + rewards / beta
    place = scores.argmax(-1, keepdim=True)
    gap = scores - scores.log_softmax(-1)
    return gap.gather(-1, place).squeeze(-1)
