"""Hidden suite of 07_optimizers.

Strategy: single steps from a given state are compared with the formula, so that a mistake can be
named; runs of many steps, with learning rates that change, with `torch.optim`. The Newton-Schulz
iteration is compared with the scalar polynomial on known singular values, and Muon with the same
construction, by relative Frobenius error: computing in bfloat16 is allowed.
"""

DEPENDS = {"adam_step_slide": ["adam_step"], "muon_step": ["newton_schulz5"]}
FORBIDDEN = {
    "sgd_step": ["torch.optim"],
    "adam_step": ["torch.optim"],
    "adam_step_slide": ["torch.optim"],
    "newton_schulz5": ["torch.optim", "torch.linalg.svd", "torch.svd"],
    "muon_step": ["torch.optim", "torch.linalg.svd", "torch.svd"],
}
