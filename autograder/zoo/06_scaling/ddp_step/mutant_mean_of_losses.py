"""Each rank averages its loss; backward on the plain mean of the losses.

message: without counting tokens
"""


def ddp_step(models, shards, lr, all_reduce=None):
    reduce = all_reduce_mean if all_reduce is None else all_reduce
    means, counts = [], []
    for model, shard in zip(models, shards):
        total, count = loss_sum(model, shard)
        model.zero_grad()
        (total / max(count, 1)).backward()
        means.append((total / max(count, 1)).detach())
        counts.append(count)
    with torch.no_grad():
        for params in zip(*(model.parameters() for model in models)):
            grads = [torch.zeros_like(p) if p.grad is None else p.grad for p in params]
            mean = reduce(grads, [1] * len(grads))
            for p in params:
                p -= lr * mean
    return float(reduce(means, [1] * len(means)))
