"""Only mu + mu.T matters, since both outcomes are counted."""


def dpo_population_gradient(theta, prefs, mu, ref_probs, beta):
    h = theta.log_softmax(0) - ref_probs.log()
    both = mu + mu.T
    opinion = torch.sigmoid(beta * (h.unsqueeze(1) - h))
    return beta * (both * (opinion - prefs)).sum(dim=1)
