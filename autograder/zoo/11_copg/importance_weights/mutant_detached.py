"""Thinks a weight is a constant.

message: keep the graph
"""
def importance_weights(logp, mu_logp):
    return (logp.detach() - mu_logp).sum(-1).exp()
