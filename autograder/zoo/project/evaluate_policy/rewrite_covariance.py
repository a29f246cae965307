"""The error of J from a covariance matrix; signs for the wins; numpy for the errors."""

def evaluate_policy(policy, reference, input_ids, attention_mask, completion_mask, rewards, ref_rewards, beta):
    with torch.no_grad():
        lp = policy(input_ids=input_ids, attention_mask=attention_mask).logits[:, :-1].log_softmax(-1)
        lq = reference(input_ids=input_ids, attention_mask=attention_mask).logits[:, :-1].log_softmax(-1)
    p = lp.exp()
    terms = torch.where(p > 0, p * (lp - lq), 0.0)
    kl_t = terms.sum(-1)
    mask = completion_mask[:, 1:].bool()
    kl = torch.where(mask, kl_t, 0.0).sum(-1)
    j = rewards - beta * kl
    win = (torch.sign(rewards - ref_rewards) + 1) / 2
    out = {}
    for name, x in (("reward", rewards), ("kl", kl), ("J", j), ("win_rate", win)):
        x = x.double()
        out[name] = float(x.mean())
        out[name + "_se"] = float(x.numpy().std(ddof=1) / x.numel() ** 0.5)
    c = torch.cov(torch.stack([rewards.double(), kl.double()]))
    var = c[0, 0] - 2 * beta * c[0, 1] + beta**2 * c[1, 1]
    out["J_se"] = float((var.clamp(min=0) / len(kl)).sqrt())
    return out
