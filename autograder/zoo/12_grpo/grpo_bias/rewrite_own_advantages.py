"""Does not use group_advantages."""


def grpo_bias(probs, A, G):
    V = len(probs)
    mean, true = np.zeros(V), (probs * (A - probs @ A)).numpy()
    for y in itertools.product(range(V), repeat=G):
        y = list(y)
        r = A.numpy()[y]
        if r.max() > r.min():
            a = (r - r.mean()) / r.std()
            for i, k in enumerate(y):
                mean[k] += float(probs[y].prod()) * a[i] / G
    ratio = torch.from_numpy(mean / true)
    return ratio, torch.tensor(mean @ true / np.linalg.norm(mean) / np.linalg.norm(true))
