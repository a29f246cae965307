"""Clears .grad after the step, but not before the first one.

message: before the call
"""


def ddp_step(models, shards, lr, all_reduce=None):
    reduce = all_reduce_mean if all_reduce is None else all_reduce
    means, counts = [], []
    for model, shard in zip(models, shards):
        total, count = loss_sum(model, shard)
        loss = total / max(count, 1)
        loss.backward()
        means.append(loss.detach())
        counts.append(count)
    with torch.no_grad():
        for params in zip(*(model.parameters() for model in models)):
            grads = [torch.zeros_like(p) if p.grad is None else p.grad for p in params]
            mean = reduce(grads, counts)
            for p in params:
                p -= lr * mean
    for model in models:
        model.zero_grad()
    return float(reduce(means, counts))
