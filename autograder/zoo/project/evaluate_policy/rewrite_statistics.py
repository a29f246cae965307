"""Python's statistics module and a loop."""

def evaluate_policy(policy, reference, input_ids, attention_mask, completion_mask, rewards, ref_rewards, beta):
    import math
    import statistics

    with torch.inference_mode():
        p = policy(input_ids=input_ids, attention_mask=attention_mask).logits.double().log_softmax(-1)
        q = reference(input_ids=input_ids, attention_mask=attention_mask).logits.double().log_softmax(-1)
    lists = {"reward": [], "kl": [], "J": [], "win_rate": []}
    for i in range(len(input_ids)):
        kl = 0.0
        for t in range(1, input_ids.shape[1]):
            if completion_mask[i, t]:
                keep = p[i, t - 1] > -math.inf
                kl += float((p[i, t - 1].exp() * (p[i, t - 1] - q[i, t - 1]))[keep].sum())
        r, s = float(rewards[i]), float(ref_rewards[i])
        lists["reward"].append(r)
        lists["kl"].append(kl)
        lists["J"].append(r - beta * kl)
        lists["win_rate"].append(1.0 if r > s else 0.5 if r == s else 0.0)
    out = {}
    for name, values in lists.items():
        out[name] = statistics.fmean(values)
        out[name + "_se"] = statistics.stdev(values) / math.sqrt(len(values))
    return out
