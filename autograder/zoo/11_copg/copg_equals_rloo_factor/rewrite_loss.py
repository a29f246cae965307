"""Through copg_loss, with the sign turned."""
def copg_equals_rloo_factor(theta, y, y2, R, ref, beta):
    t = theta.clone().requires_grad_()
    lp = t.log_softmax(0)
    i, j = torch.tensor([y]), torch.tensor([y2])
    loss = copg_loss(lp[i], lp[j], ref[i], ref[j], R[i], R[j], beta)
    g = -torch.autograd.grad(loss, t, retain_graph=True)[0]
    rewards = (R - beta * (lp - ref)).detach()[[y, y2]]
    advantages = rewards - rewards.flip(0)
    k = torch.autograd.grad((advantages * lp[[y, y2]]).mean(), t)[0]
    return g, k, (g.norm() / k.norm()).item()
