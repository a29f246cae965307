"""q - beta ln(pi / pi_ref) at the most likely action."""
def soft_value(q, ref_logps, beta):
    scores = ref_logps + q / beta
    log_pi = scores.log_softmax(-1)
    best = scores.argmax(-1, keepdim=True)
    gap = (q - beta * (log_pi - ref_logps)).gather(-1, best)
    return gap[..., 0]
