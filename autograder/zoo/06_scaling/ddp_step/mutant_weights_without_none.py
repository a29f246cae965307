"""A shard without a gradient does not count in the weights.

message: full weight
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
            grads = [torch.zeros_like(p) if p.grad is None else p.grad for p in params]
            weights = [0 if p.grad is None else n for p, n in zip(params, counts)]
            mean = reduce(grads, weights) if sum(weights) else grads[0]
            for p in params:
                p -= lr * mean
    return float(reduce(losses, counts))
