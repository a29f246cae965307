"""Two einsums."""


def optimal_baseline_vector(probs, A, G):
    top = torch.einsum("y,y,yp,yp->", probs, A, G, G)
    return top / torch.einsum("y,yp,yp->", probs, G, G)
