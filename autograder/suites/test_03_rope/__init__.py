"""Hidden suite of 03_rope.

Strategy: tables are compared with a double loop over `math.sin` and `math.cos`; rotations with
products of complex numbers and with the functions of `transformers` (half-split layout) after the
columns were reordered; scores with explicit block-diagonal rotation matrices; the permutation of
projection rows with numbered rows and with the logits of a real, tiny Llama with grouped queries.
Heads are never 4 wide: there the permutation is its own inverse. Gradients are compared by value
with the transposed rotation.
"""

FORBIDDEN = {
    "sinusoidal_pe": ["transformers"],
    "rope_angles": ["transformers"],
    "apply_rope": ["transformers"],
    "rope_scores": ["transformers"],
}
DEPENDS = {"rope_scores": ["rope_angles", "apply_rope"]}
