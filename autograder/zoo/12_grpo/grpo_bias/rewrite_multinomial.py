"""Multisets with multinomial weights."""


def grpo_bias(probs, A, G):
    V = len(probs)
    mean = torch.zeros(V, dtype=torch.float64)
    for y in itertools.combinations_with_replacement(range(V), G):
        orders = math.factorial(G)
        for k in range(V):
            orders //= math.factorial(y.count(k))
        a = group_advantages(A[list(y)].unsqueeze(0), scale="std", ddof=0, eps=0.0)[0]
        one_hot = torch.nn.functional.one_hot(torch.tensor(y), V).double()
        mean += orders * torch.prod(probs[list(y)]) * (a @ (one_hot - probs)) / G
    gradient = probs * (A - (probs * A).sum())
    return mean / gradient, torch.nn.functional.cosine_similarity(mean, gradient, dim=0)
