"""Plain loops over tokens and experts."""


def load_balancing_loss(router_logits, k):
    T, E = router_logits.shape
    counts = [0] * E
    for row in router_logits.tolist():
        for e in sorted(range(E), key=lambda e: -row[e])[:k]:
            counts[e] += 1
    p = router_logits.softmax(-1)
    loss = router_logits.new_zeros(())
    for e in range(E):
        loss = loss + counts[e] / T * p[:, e].mean()
    return E * loss
