"""Takes rewards that are close for a tie.

message: a win is a win
"""

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
    tie = torch.isclose(rewards, ref_rewards)
    win = torch.where(tie, 0.5, (rewards > ref_rewards).double())
    out = {}
    for name, x in (("reward", rewards), ("kl", kl), ("J", j), ("win_rate", win)):
        x = x.double()
        out[name] = float(x.mean())
        out[name + "_se"] = float(x.std() / len(x) ** 0.5)
    return out
