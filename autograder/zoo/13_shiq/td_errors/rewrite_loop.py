"""Two loops."""
def td_errors(r, v, done, gamma):
    out = torch.empty_like(r)
    for b in range(r.shape[0]):
        for t in range(r.shape[1]):
            target = r[b, t]
            if not done[b, t]:
                target = target + gamma * v[b, t + 1]
            out[b, t] = target - v[b, t]
    return out
