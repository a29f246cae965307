"""A loop over distributions."""


def sample_from(probs, u):
    rows = probs.reshape(-1, probs.shape[-1]).double().tolist()
    drawn = []
    for row, threshold in zip(rows, u.reshape(-1).double().tolist()):
        total, chosen = 0.0, None
        for token, mass in enumerate(row):
            total += mass
            if mass > 0:
                chosen = token
            if total > threshold:
                break
        drawn.append(chosen)
    return torch.tensor(drawn, dtype=torch.long).view(u.shape)
