"""Trains with seed 0, whatever the seed.

message: Rows
"""

def train_offline(model, pairs, method, beta, steps, batch_size=64, lr=2e-4, seed=0, baseline=None, checkpoint=None, stop=None, log=None):
    optimizer = torch.optim.Adam(model.parameters(), lr=lr, betas=(0.9, 0.99))
    start, losses = 0, []
    if checkpoint is not None:
        saved = copy.deepcopy(checkpoint)
        model.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])
        start, losses = saved["step"], list(saved["losses"])
    last = steps if stop is None else min(stop, steps)
    for step in range(start, last):
        rows = batch_rows(len(pairs["rewards"]), batch_size, step, 0)
        names = ("input_ids", "attention_mask", "completion_mask")
        flat = [pairs[name][rows].flatten(0, 1) for name in names]
        logps = completion_logps(model, *flat).view(batch_size, 2)
        loss = offline_loss(method, logps, pairs["ref_logps"][rows], pairs["rewards"][rows], beta, baseline)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for group in optimizer.param_groups:
            group["lr"] = lr * lr_factor(step, steps)
        optimizer.step()
        losses.append(loss.item())
        if log is not None:
            log(step, losses[-1])
    return {
        "step": max(start, last),
        "model": copy.deepcopy(model.state_dict()),
        "optimizer": copy.deepcopy(optimizer.state_dict()),
        "losses": losses,
    }
