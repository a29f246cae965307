"""Adam on each replica, then the parameters are averaged.

message: minus lr times the gradient
"""


def ddp_step(models, shards, lr, all_reduce=None):
    reduce = all_reduce_mean if all_reduce is None else all_reduce
    losses, counts = [], []
    for model, shard in zip(models, shards):
        total, count = loss_sum(model, shard)
        optimiser = torch.optim.Adam(model.parameters(), lr=lr)
        loss = total / max(count, 1)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.detach())
        counts.append(count)
    with torch.no_grad():
        for params in zip(*(model.parameters() for model in models)):
            mean = reduce([p.detach() for p in params], counts)
            for p in params:
                p.copy_(mean)
    return float(reduce(losses, counts))
