"""Leaves the model in training mode.

message: after the call as well
"""

def train_offline(model, pairs, method, beta, steps, batch_size=64, lr=2e-4, seed=0, baseline=None, checkpoint=None, stop=None, log=None):
    optimizer = torch.optim.Adam(model.parameters(), lr=lr, betas=(0.9, 0.99))
    start, losses = 0, []
    if checkpoint is not None:
        model.load_state_dict(checkpoint["model"])
        optimizer.load_state_dict(copy.deepcopy(checkpoint["optimizer"]))
        start, losses = checkpoint["step"], list(checkpoint["losses"])
    end = steps if stop is None else min(stop, steps)
    done = start
    for step in range(start, end):
        rows = batch_rows(len(pairs["rewards"]), batch_size, step, seed)
        batch = {k: v[rows] for k, v in pairs.items()}
        flat = [batch[k].flatten(0, 1) for k in ("input_ids", "attention_mask", "completion_mask")]
        logps = completion_logps(model, *flat).view(-1, 2)
        loss = offline_loss(method, logps, batch["ref_logps"], batch["rewards"], beta, baseline)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for group in optimizer.param_groups:
            group["lr"] = lr * lr_factor(step, steps)
        optimizer.step()
        losses.append(loss.item())
        if log is not None:
            log(step, losses[-1])
        done = step + 1
    model.train()
    return {"step": done, "model": copy.deepcopy(model.state_dict()), "optimizer": copy.deepcopy(optimizer.state_dict()), "losses": losses}
