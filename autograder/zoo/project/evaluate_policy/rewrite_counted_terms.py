"""Works out the counted positions only, in place, with the policy's possible tokens alone."""

def evaluate_policy(policy, reference, input_ids, attention_mask, completion_mask, rewards, ref_rewards, beta):
    with torch.no_grad():
        lp = policy(input_ids=input_ids, attention_mask=attention_mask).logits[:, :-1].log_softmax(-1)
        lq = reference(input_ids=input_ids, attention_mask=attention_mask).logits[:, :-1].log_softmax(-1)
    rows, places = completion_mask[:, 1:].nonzero(as_tuple=True)
    lp, lq = lp[rows, places].double(), lq[rows, places].double()
    terms = torch.zeros_like(lp)
    possible = lp.exp() > 0
    terms[possible] = lp[possible].exp() * (lp - lq)[possible]
    kl = torch.zeros(len(input_ids), dtype=torch.float64)
    kl.index_add_(0, rows, terms.sum(-1))
    j = rewards - beta * kl
    win = (rewards > ref_rewards).double() + 0.5 * (rewards == ref_rewards).double()
    out = {}
    for name, x in (("reward", rewards), ("kl", kl), ("J", j), ("win_rate", win)):
        x = x.double()
        out[name] = float(x.mean())
        out[name + "_se"] = float(x.std() / len(x) ** 0.5)
    return out
