"""pi_ref exp((q - v) / beta), with the student's soft value."""
def soft_optimal_policy(q, ref_logps, beta):
    v = soft_value(q, ref_logps, beta)
    return (ref_logps + (q - v.unsqueeze(-1)) / beta).exp()
