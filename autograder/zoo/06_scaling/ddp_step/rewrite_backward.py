"""backward and .grad, zeros where there is none."""


def ddp_step(models, shards, lr, all_reduce=None):
    reduce = all_reduce_mean if all_reduce is None else all_reduce
    counts, losses = [], []
    for model, shard in zip(models, shards, strict=True):
        model.zero_grad(set_to_none=False)
        total, count = loss_sum(model, shard)
        mean = total / count if count else 0 * total
        mean.backward()
        counts.append(count)
        losses.append(mean.detach())
    with torch.no_grad():
        for twins in zip(*[model.parameters() for model in models]):
            grads = [p.grad if p.grad is not None else torch.zeros_like(p) for p in twins]
            step = lr * reduce(grads, counts)
            for p in twins:
                p.copy_(p - step)
    return reduce(losses, counts).item()
