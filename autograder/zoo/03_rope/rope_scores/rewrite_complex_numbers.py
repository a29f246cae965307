"""The real part of q times the conjugate of k times a phase."""


def rope_scores(q, k, pos_q, pos_k, base=10_000.0):
    def as_turned_complex(x, pos):
        z = torch.view_as_complex(x.double().unflatten(-1, (-1, 2)).contiguous())
        return z * torch.exp(1j * pos[..., None] * rope_angles(2, x.shape[-1], base)[1])

    zq, zk = as_turned_complex(q, pos_q), as_turned_complex(k, pos_k)
    return (zq @ zk.conj().transpose(-2, -1)).real.to(q.dtype)
