"""The reward gap is shrunk in place, on a copy of its own."""

def copg_loss(logps, logps2, ref_logps, ref_logps2, rewards, rewards2, beta):
    with torch.no_grad():
        ref_gap = ref_logps2 - ref_logps
    dh = logps - logps2 + ref_gap
    factor = rewards.clone()
    factor -= rewards2
    factor = factor.sub_(dh * (beta / 2))
    return -torch.einsum("b,b->", factor, dh) / dh.numel()
