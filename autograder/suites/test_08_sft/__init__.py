"""Hidden suite of 08_sft.

Strategy: losses are added up term by term from logsumexp in float64, gradients are the closed form
softmax minus one-hot, and the reductions differ on every batch. On-policy sampling is judged on
tables: nearly certain ones, where the drawn prefix is known, and a lopsided one, where the mean of
many rows must meet the sum over all prefixes.
"""

HELPERS = ("onpolicy_sft_gradient",)
DEPENDS = {
    "pretrain_loss": ["sft_loss"],
    "packed_loss": ["pretrain_loss", "sft_loss"],
    "onpolicy_sft_loss": ["sft_loss", "pretrain_loss"],
    "onpolicy_sft_optimum": ["mle_optimum"],
}
FORBIDDEN = {"sft_gradient_is_teacher_forcing": ["torch.autograd", "torch.func"]}
