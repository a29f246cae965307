"""Subtracts the maximum by hand."""
def soft_value(q, ref_logps, beta):
    top = q.masked_fill(ref_logps == -float("inf"), -float("inf")).amax(-1, keepdim=True)
    weight = ref_logps.exp() * ((q - top) / beta).clamp(max=0).exp()
    return (top.squeeze(-1) + beta * weight.sum(-1).log())
