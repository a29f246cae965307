"""All gradients and the loss in one flat message."""


def ddp_step(models, shards, lr, all_reduce=None):
    reduce = all_reduce_mean if all_reduce is None else all_reduce
    messages, counts = [], []
    for model, shard in zip(models, shards):
        total, count = loss_sum(model, shard)
        loss = total / max(count, 1)
        params = list(model.parameters())
        grads = torch.autograd.grad(loss, params, allow_unused=True)
        grads = [torch.zeros_like(p) if g is None else g for p, g in zip(params, grads)]
        messages.append(torch.cat([loss.detach().reshape(1), *(g.flatten() for g in grads)]))
        counts.append(count)
    message = reduce(messages, counts)
    for model in models:
        start = 1
        for p in model.parameters():
            p.data.sub_(lr * message[start : start + p.numel()].view_as(p))
            start += p.numel()
    return float(message[0])
