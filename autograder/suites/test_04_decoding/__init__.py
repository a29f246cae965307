"""Hidden suite of 04_decoding.

Strategy: greedy decoding is compared with `generate` of transformers on small random Llamas, and
with chains of certain tokens whose every step is known. Temperature, nuclei and draws have exact
oracles: powers of probabilities, a search over all subsets, transformers' own filter, whole numbers
of sixteenths. Speculative rules are compared with formulas on arbitrary pairs of distributions, and
their law with rules that the suite makes up. A speculative step is first tried in worlds where
nothing is left to chance; then its counts are compared with the exact law of its outcome, with
bounds that a right answer misses with a probability below 1e-9.
"""

HELPERS = ("many_steps",)
DEPENDS = {
    "speculative_output_distribution": ["acceptance_probability", "residual_distribution"],
    "speculative_step": ["acceptance_probability", "residual_distribution", "sample_from"],
}
FORBIDDEN = {
    "greedy_decode": ["model.generate"],
    "top_p_filter": ["transformers.TopPLogitsWarper"],
    "sample_from": ["torch.multinomial", "torch.distributions"],
}
