"""Hidden suite of the project.

Strategy: losses are compared with their formulas in plain Python floats and with gradients by
value, away from the reference policy, where a missing detach shows. Log-probabilities are
compared with tables of free logits, row by row and without padding, and with the sum over all
completions, which is 1. The training loop must walk the trajectory of a second loop written here.
Policies handed in are not tested here: `autograder.project` re-evaluates the files.
"""

PRELOAD = ("transformers.models.gpt2.modeling_gpt2", "transformers.models.llama.modeling_llama")
HELPERS = ("checkpoint_drift", "logp_gradient", "parameters_of")
DEPENDS = {"train_offline": ["completion_logps", "dpo_loss", "pg_loss", "copg_loss"]}
FORBIDDEN = {
    "train_offline": ["torch.multinomial", "torch.distributions", "sft2rl.sampling"],
}
