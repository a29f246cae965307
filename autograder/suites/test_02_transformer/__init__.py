"""Hidden suite of 02_transformer.

Strategy: attention is compared with torch's scaled_dot_product_attention (the weights with its
output for an identity matrix as values), layer normalisation with F.layer_norm, the block and the
decoder with GPT2LMHeadModel of transformers and the same weights, its cache included. Several heads
are a sum over heads of (head times its rows of Wo), which needs neither splitting nor merging.
Equivariance is tried on layers whose properties are known by construction. The model of
next_token_distribution is a table with a free row for every prefix, so that a single padding token
that is seen changes everything.
"""

PRELOAD = ("sft2rl.models",)  # brings transformers along
DEPENDS = {
    "multi_head_attention": ["attention", "split_heads", "merge_heads"],
    "transformer_block": [
        "causal_mask", "attention", "split_heads", "merge_heads", "multi_head_attention",
        "layer_norm", "feed_forward",
    ],
    "TinyDecoder": [
        "causal_mask", "attention", "split_heads", "merge_heads", "multi_head_attention",
        "layer_norm", "feed_forward", "transformer_block", "lm_logits",
    ],
}  # fmt: skip
ATTENTION = [
    "torch.nn.functional.scaled_dot_product_attention",
    "torch.nn.functional.multi_head_attention_forward",
    "torch.nn.MultiheadAttention",
    "torch.nn.TransformerEncoderLayer",
    "torch.nn.TransformerDecoderLayer",
    "transformers",
]
NORM = [
    "torch.nn.functional.layer_norm", "torch.layer_norm", "torch.native_layer_norm",
    "torch.nn.LayerNorm", "torch.nn.functional.group_norm", "torch.nn.GroupNorm", "transformers",
]  # fmt: skip
FORBIDDEN = {
    "attention": ATTENTION,
    "multi_head_attention": ATTENTION,
    "layer_norm": NORM,
    "transformer_block": ATTENTION + NORM,
    "count_parameters": ["transformers"],
    "TinyDecoder": ATTENTION + NORM,
}
