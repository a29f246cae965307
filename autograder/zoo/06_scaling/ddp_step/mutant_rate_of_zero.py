"""A step size of 0 counts as missing.

message: a number like others
"""


def ddp_step(models, shards, lr, all_reduce=None):
    lr = lr or 0.1
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
