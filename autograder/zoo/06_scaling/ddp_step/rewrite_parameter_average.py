"""Local gradient steps, then the weighted mean of the parameters: the same for plain SGD."""


def ddp_step(models, shards, lr, all_reduce=None):
    reduce = all_reduce_mean if all_reduce is None else all_reduce
    losses, counts, moves = [], [], []
    for model, shard in zip(models, shards):
        total, count = loss_sum(model, shard)
        loss = total / max(count, 1)
        grads = torch.autograd.grad(loss, list(model.parameters()), allow_unused=True, materialize_grads=True)
        moves.append([-lr * g for g in grads])
        losses.append(loss.detach())
        counts.append(count)
    with torch.no_grad():
        for params, deltas in zip(zip(*(m.parameters() for m in models)), zip(*moves)):
            delta = reduce(list(deltas), counts)
            for p in params:
                p += delta
    return float(reduce(losses, counts))
