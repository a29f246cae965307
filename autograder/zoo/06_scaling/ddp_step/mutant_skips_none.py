"""Exchanges only gradients that are there.

message: has no gradient must make the same
"""


def ddp_step(models, shards, lr, all_reduce=None):
    reduce = all_reduce_mean if all_reduce is None else all_reduce
    losses, counts = [], []
    for model, shard in zip(models, shards):
        total, count = loss_sum(model, shard)
        loss = total / max(count, 1)
        model.zero_grad()
        loss.backward()
        losses.append(loss.detach())
        counts.append(count)
    with torch.no_grad():
        for params in zip(*(model.parameters() for model in models)):
            if all(p.grad is None for p in params):
                continue
            grads = [torch.zeros_like(p) if p.grad is None else p.grad for p in params]
            mean = reduce(grads, counts)
            for p in params:
                p -= lr * mean
    return float(reduce(losses, counts))
