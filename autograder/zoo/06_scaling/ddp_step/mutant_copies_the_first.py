"""One process in disguise: steps the first replica on all shards and copies it.

message: did not call it
"""


def ddp_step(models, shards, lr, all_reduce=None):
    pairs = [loss_sum(models[0], shard) for shard in shards]
    loss = sum(t for t, _ in pairs) / max(sum(n for _, n in pairs), 1)
    params = list(models[0].parameters())
    grads = torch.autograd.grad(loss, params, allow_unused=True, materialize_grads=True)
    with torch.no_grad():
        for p, g in zip(params, grads):
            p -= lr * g
    for model in models[1:]:
        model.load_state_dict(models[0].state_dict())
    return float(loss)
