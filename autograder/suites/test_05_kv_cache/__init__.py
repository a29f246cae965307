"""Hidden suite of 05_kv_cache.

Strategy: cached attention is compared with one full causal forward, computed without any cache by
torch's scaled_dot_product_attention on queries and keys that were rotated as complex numbers, and
with cases whose answer is a plain mean. Counts are compared with an enumeration of every
(step, query, key) and with exact integers of a million steps; factors with a recount. The block
allocator is run against plain Python lists (one list of tokens per sequence) and a mark-and-sweep
count of live blocks, which knows no reference counts.
"""

DEPENDS = {
    "cached_attention_step": ["append_kv"],
    "speedup_factor": ["attention_score_count"],
    "wasted_slots": ["blocks_needed"],
    "BlockAllocator": ["blocks_needed"],
}
FORBIDDEN = {
    "cached_attention_step": [
        "torch.nn.functional.scaled_dot_product_attention",
        "torch.nn.MultiheadAttention",
        "transformers",
    ],
}
