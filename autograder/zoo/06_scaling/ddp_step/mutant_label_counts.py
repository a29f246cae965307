"""Counts labels that are not -100, the first position included.

message: minus lr times the gradient
"""


def ddp_step(models, shards, lr, all_reduce=None):
    reduce = all_reduce_mean if all_reduce is None else all_reduce
    losses, counts, grads = [], [], []
    for model, shard in zip(models, shards):
        total, count = loss_sum(model, shard)
        loss = total / max(count, 1)
        params = list(model.parameters())
        grads.append(torch.autograd.grad(loss, params, allow_unused=True, materialize_grads=True))
        losses.append(loss.detach())
        counts.append(count)
    with torch.no_grad():
        for i, per_rank in enumerate(zip(*grads)):
            mean = reduce(list(per_rank), [int((s['labels'] != -100).sum()) for s in shards])
            for model in models:
                list(model.parameters())[i].sub_(lr * mean)
    return float(reduce(losses, counts))
