"""Hidden suite of 06_scaling.

Strategy: gates and the mixture are compared with the dense formulas in float64 (all experts
computed, losers masked), and the experts, call-backs of this suite, write down the rows they see.
The balancing loss is compared with plain loops and with the Mixtral code of transformers, parameter
counts with a model that transformers builds without memory. Data parallelism is compared with one
process that sees every shard, on shards of unequal length: in one process with replicas, with an
`all_reduce` of this suite, and in two gloo processes on the sandbox's loopback.
"""

HELPERS = ("ffn_experts",)
DEPENDS = {"moe_forward": ["topk_gates"], "ddp_step": ["all_reduce_mean"]}
FORBIDDEN = {
    "load_balancing_loss": ["transformers"],
    "all_reduce_mean": ["torch.distributed", "sft2rl.parallel.gloo_all_reduce"],
    "ddp_step": ["torch.distributed", "torch.nn.parallel", "sft2rl.parallel.gloo_all_reduce"],
}
# A process group asks for it where it sees torch._dynamo.
PRELOAD = ("torch._dynamo.trace_rules",)
