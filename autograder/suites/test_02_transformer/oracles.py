"""What several sections compare with: heads summed one by one, the parts of a block, and GPT-2."""

import math

import torch
import torch.nn.functional as F
from torch.nn.functional import scaled_dot_product_attention as sdpa
from transformers import GPT2Config, GPT2LMHeadModel

from autograder.suite import Draw

DOUBLE = torch.float64


def allowed(T: int, S: int | None = None) -> torch.Tensor:
    """The last T rows of the causal mask of S tokens, entry by entry."""
    S = T if S is None else S
    return torch.tensor([[j <= i + S - T for j in range(S)] for i in range(T)])


def projections(draw: Draw, d_model: int, H: int, d_k: int, d_v: int, d_out: int) -> dict:
    """Weights and biases of one layer."""
    sizes = {"q": H * d_k, "k": H * d_k, "v": H * d_v}
    p = {f"W{n}": draw.normal(d_model, size) / math.sqrt(d_model) for n, size in sizes.items()}
    p |= {f"b{n}": draw.normal(size) for n, size in sizes.items()}
    return p | {"Wo": draw.normal(H * d_v, d_out) / 2, "bo": draw.normal(d_out)}


def heads_summed(x, p, H, mask=None, bias=False, scale=None):
    """Sum over heads of attention times the head's rows of Wo: no splitting, no merging."""
    d_k, d_v = p["Wq"].shape[1] // H, p["Wv"].shape[1] // H
    out = 0.0
    for h in range(H):
        cut = {n: slice(h * d, (h + 1) * d) for n, d in (("q", d_k), ("k", d_k), ("v", d_v))}
        q, k, v = (x @ p[f"W{n}"][:, cut[n]] + (p[f"b{n}"][cut[n]] if bias else 0.0) for n in "qkv")
        each = mask if mask is None or mask.ndim < 4 else mask[:, 0 if mask.shape[1] == 1 else h]
        out = out + sdpa(q, k, v, attn_mask=each, scale=scale) @ p["Wo"][cut["v"]]
    return out + (p["bo"] if bias else 0.0)


def network(draw: Draw, d: int, d_ff: int, d_out: int):
    """W1, b1, W2, b2."""
    return draw.normal(d, d_ff), draw.normal(d_ff), draw.normal(d_ff, d_out), draw.normal(d_out)


def ffn_of(x, W1, b1, W2, b2):
    """With torch's own layers, which hold transposed weights."""
    return F.linear(F.relu(F.linear(x, W1.T, b1)), W2.T, b2)


def block_weights(draw: Draw, d: int, width: int, d_ff: int) -> dict[str, torch.Tensor]:
    """A block with heads that are `width` wide together."""
    p = projections(draw, d, 1, width, width, d)
    W1, b1, W2, b2 = network(draw, d, d_ff, d)
    p |= {"W1": W1 / math.sqrt(d), "b1": b1, "W2": W2 / math.sqrt(d_ff), "b2": b2}
    for name in ("ln1", "ln2"):
        p |= {f"{name}_gamma": draw.uniform(0.5, 1.5, d), f"{name}_beta": 0.5 * draw.normal(d)}
    return p


def norm_of(x, p: dict, name: str, eps: float = 1e-5):
    """LayerNorm with the weights `name`."""
    gamma, beta = p[f"{name}_gamma"], p[f"{name}_beta"]
    return F.layer_norm(x, gamma.shape, gamma, beta, eps)


def mha_of(x, p: dict, H: int, causal: bool = True):
    """Attention with biases."""
    return heads_summed(x, p, H, allowed(x.shape[1]) if causal else None, bias=True)


def ffn_part(x, p: dict):
    """The feed-forward network of a block."""
    return ffn_of(x, p["W1"], p["b1"], p["W2"], p["b2"])


def block_of(x, p: dict, H: int, eps: float = 1e-5, causal: bool = True):
    """The pre-norm block."""
    t3 = x + mha_of(norm_of(x, p, "ln1", eps), p, H, causal)
    return t3 + ffn_part(norm_of(t3, p, "ln2", eps), p)


def gpt_weights(draw: Draw, V: int, P: int, d: int, d_ff: int, n_layer: int) -> dict:
    """The weights of a small decoder."""
    return {
        "wte": draw.normal(V, d), "wpe": draw.normal(P, d),
        "blocks": [block_weights(draw, d, d, d_ff) for _ in range(n_layer)],
        "lnf_gamma": draw.uniform(0.5, 1.5, d), "lnf_beta": draw.normal(d),
    }  # fmt: skip


def gpt2_with(params: dict, H: int, d_ff: int) -> GPT2LMHeadModel:
    """The library's model with these weights."""
    (V, d), P = params["wte"].shape, len(params["wpe"])
    config = GPT2Config(
        vocab_size=V, n_positions=P, n_embd=d, n_layer=len(params["blocks"]), n_head=H,
        n_inner=d_ff, activation_function="relu", bos_token_id=None, eos_token_id=None,
        tie_word_embeddings="W_U" not in params,
    )  # fmt: skip
    library = GPT2LMHeadModel(config).double().eval()
    state = {
        "transformer.wte.weight": params["wte"], "transformer.wpe.weight": params["wpe"],
        "transformer.ln_f.weight": params["lnf_gamma"],
        "transformer.ln_f.bias": params["lnf_beta"],
        "lm_head.weight": params["W_U"].T if "W_U" in params else params["wte"],
    }  # fmt: skip
    for i, p in enumerate(params["blocks"]):
        parts = {
            "attn.c_attn.weight": torch.cat([p["Wq"], p["Wk"], p["Wv"]], dim=1),
            "attn.c_attn.bias": torch.cat([p["bq"], p["bk"], p["bv"]]),
            "attn.c_proj.weight": p["Wo"], "attn.c_proj.bias": p["bo"],
            "mlp.c_fc.weight": p["W1"], "mlp.c_fc.bias": p["b1"],
            "mlp.c_proj.weight": p["W2"], "mlp.c_proj.bias": p["b2"],
            "ln_1.weight": p["ln1_gamma"], "ln_1.bias": p["ln1_beta"],
            "ln_2.weight": p["ln2_gamma"], "ln_2.bias": p["ln2_beta"],
        }  # fmt: skip
        state |= {f"transformer.h.{i}.{name}": each for name, each in parts.items()}
    library.load_state_dict(state)
    return library
