"""With einsum."""


def lm_logits(h, W_U):
    return torch.einsum("...d,dv->...v", h, W_U)
