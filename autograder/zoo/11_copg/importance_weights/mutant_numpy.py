"""Returns a numpy array.

message: tensor
"""
def importance_weights(logp, mu_logp):
    return np.exp((logp - mu_logp).detach().numpy().sum(-1))
