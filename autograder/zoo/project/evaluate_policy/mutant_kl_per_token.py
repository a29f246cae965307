"""Averages over the positions of each completion.

message: averaged over positions
"""

def evaluate_policy(policy, reference, input_ids, attention_mask, completion_mask, rewards, ref_rewards, beta):
    with torch.no_grad():
        p = policy(input_ids=input_ids, attention_mask=attention_mask).logits[:, :-1].log_softmax(-1)
        q = reference(input_ids=input_ids, attention_mask=attention_mask).logits[:, :-1].log_softmax(-1)
    terms = torch.where(p.isneginf(), 0.0, p.exp() * (p - q)).sum(-1)
    mask = completion_mask[:, 1:] == 1
    kl = (torch.where(mask, terms, 0.0).sum(-1) / mask.sum(-1)).double()
    rewards, ref_rewards = rewards.double(), ref_rewards.double()
    wins = (rewards > ref_rewards).double() + 0.5 * (rewards == ref_rewards).double()
    J = rewards - beta * kl
    n = len(rewards)
    result = {}
    for name, x in (("reward", rewards), ("kl", kl), ("J", J), ("win_rate", wins)):
        result[name] = x.mean().item()
        result[name + "_se"] = (x.std() / n**0.5).item()
    return result
