"""Means of the sums and of the counts over the ranks, and their ratio."""


def ddp_step(models, shards, lr, all_reduce=None):
    reduce = all_reduce or all_reduce_mean
    ones = [1.0] * len(models)
    sums, counts, grads = [], [], []
    for model, shard in zip(models, shards):
        total, count = loss_sum(model, shard)
        grads.append(torch.autograd.grad(total, list(model.parameters()), allow_unused=True, materialize_grads=True))
        sums.append(total.detach())
        counts.append(torch.full_like(total.detach(), count))
    weights = [float(c) for c in counts]
    means = [reduce([g / max(w, 1.0) for g, w in zip(per_rank, weights)], weights) for per_rank in zip(*grads)]
    for model in models:
        for p, mean in zip(model.parameters(), means):
            p.data -= lr * mean
    return float(reduce([s / max(w, 1.0) for s, w in zip(sums, weights)], weights))
