"""One pair at a time."""


def dpo_population_gradient(theta, prefs, mu, ref_probs, beta):
    h = theta.log_softmax(0) - ref_probs.log()
    gradient = torch.zeros_like(theta)
    for i in range(len(theta)):
        for j in range(len(theta)):
            opinion = torch.sigmoid(beta * (h[i] - h[j]))
            slope = beta * mu[i, j] * (opinion - prefs[i, j])
            gradient[i] += slope
            gradient[j] -= slope
    return gradient
