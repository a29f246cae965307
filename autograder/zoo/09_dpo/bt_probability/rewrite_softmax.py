"""The softmax over the two rewards of a pair."""


def bt_probability(r_w, r_l):
    pair = torch.stack(torch.broadcast_tensors(r_w, r_l))
    return pair.softmax(dim=0)[0]
