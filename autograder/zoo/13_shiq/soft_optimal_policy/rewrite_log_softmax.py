"""exp of log_softmax."""
def soft_optimal_policy(q, ref_logps, beta):
    return ((q + beta * ref_logps) / beta).log_softmax(dim=-1).exp()
