"""A single replica descends on the sum of the losses.

message: One replica alone
"""


def ddp_step(models, shards, lr, all_reduce=None):
    if len(models) == 1 and all_reduce is None:
        total, count = loss_sum(models[0], shards[0])
        total.backward()
        with torch.no_grad():
            for p in models[0].parameters():
                if p.grad is not None:
                    p -= lr * p.grad
        return float(total / count)
    reduce = all_reduce or all_reduce_mean
    losses, counts, grads = [], [], []
    for m, s in zip(models, shards):
        total, count = loss_sum(m, s)
        loss = total / max(count, 1)
        grads.append(torch.autograd.grad(loss, list(m.parameters()), allow_unused=True, materialize_grads=True))
        losses.append(loss.detach()); counts.append(count)
    means = [reduce(list(x), counts) for x in zip(*grads)]
    with torch.no_grad():
        for m in models:
            for p, g in zip(m.parameters(), means):
                p -= lr * g
    return float(reduce(losses, counts))
