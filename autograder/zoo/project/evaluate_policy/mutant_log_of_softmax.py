"""Takes the logarithm of softmax, which underflows where logits are far apart.

message: not finite
"""

def evaluate_policy(policy, reference, input_ids, attention_mask, completion_mask, rewards, ref_rewards, beta):
    with torch.no_grad():
        lp = policy(input_ids=input_ids, attention_mask=attention_mask).logits[:, :-1].log_softmax(-1)
        lq = reference(input_ids=input_ids, attention_mask=attention_mask).logits[:, :-1].log_softmax(-1)
    p, q = lp.exp(), lq.exp()
    terms = torch.where(p > 0, p * (p.log() - q.log()), 0.0)
    kl_t = terms.sum(-1)
    mask = completion_mask[:, 1:].bool()
    kl = torch.where(mask, kl_t, 0.0).sum(-1)
    j = rewards - beta * kl
    win = (rewards > ref_rewards).double() + 0.5 * (rewards == ref_rewards).double()
    out = {}
    for name, x in (("reward", rewards), ("kl", kl), ("J", j), ("win_rate", win)):
        x = x.double()
        out[name] = float(x.mean())
        out[name + "_se"] = float(x.std() / len(x) ** 0.5)
    return out
