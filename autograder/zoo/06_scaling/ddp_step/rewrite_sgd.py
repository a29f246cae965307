"""torch.optim.SGD makes the step, with the averaged gradients in .grad."""


def ddp_step(models, shards, lr, all_reduce=None):
    reduce = all_reduce_mean if all_reduce is None else all_reduce
    counts, losses = [], []
    for model, shard in zip(models, shards):
        for p in model.parameters():
            p.grad = torch.zeros_like(p)
        total, count = loss_sum(model, shard)
        (total / max(count, 1)).backward()
        counts.append(count)
        losses.append(total.detach() / max(count, 1))
    for twins in zip(*(model.parameters() for model in models)):
        mean = reduce([p.grad for p in twins], counts)
        for p in twins:
            p.grad = mean.clone()
    for model in models:
        torch.optim.SGD(model.parameters(), lr=lr).step()
    return float(reduce(losses, counts))
