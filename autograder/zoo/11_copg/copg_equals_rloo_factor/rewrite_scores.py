"""With rows of the score matrix."""
def copg_equals_rloo_factor(theta, y, y2, R, ref, beta):
    log_pi = torch.log_softmax(theta, 0)
    score = torch.eye(len(theta), dtype=theta.dtype) - log_pi.exp()
    r = R - beta * (log_pi - ref)
    a = r[y] - r[y2]
    g = a * (score[y] - score[y2])
    k = 0.5 * (a * score[y] - a * score[y2])
    biggest = int(k.abs().argmax())
    return g, k, float(g[biggest] / k[biggest])
