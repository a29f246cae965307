"""Leaves empty shards out of the exchange, and moves every replica.

message: no targets must make the same all_reduce calls
"""


def ddp_step(models, shards, lr, all_reduce=None):
    reduce = all_reduce_mean if all_reduce is None else all_reduce
    losses, counts, grads = [], [], []
    for model, shard in zip(models, shards):
        total, count = loss_sum(model, shard)
        if count == 0:
            continue
        loss = total / count
        grads.append(torch.autograd.grad(loss, list(model.parameters()), allow_unused=True, materialize_grads=True))
        losses.append(loss.detach())
        counts.append(count)
    with torch.no_grad():
        for i, per_rank in enumerate(zip(*grads)):
            mean = reduce(list(per_rank), counts)
            for model in models:
                list(model.parameters())[i].sub_(lr * mean)
    return float(reduce(losses, counts)) if counts else 0.0
