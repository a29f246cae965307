"""Hidden suite of 01_tokenizer.

Strategy: pre-tokens, merges and encodings are compared with the `tokenizers` library on keyed
texts; most corpora are free of ties, so that a wrong tie rule costs the tie test and nothing else.
Decoding is compared with bytes put together by hand. Log-probabilities are compared with closed
forms and their gradients, and with the enumeration of all sequences of a tiny model, which must
add up to one.
"""

DEPENDS = {
    "train_bpe": ["pre_tokenize", "count_pairs", "merge_pair"],
    "encode": ["pre_tokenize", "merge_pair"],
    "sequence_logp": ["token_logps"],
    "corpus_perplexity": ["perplexity"],
}
_LIBRARIES = ["tokenizers", "transformers", "sentencepiece", "tiktoken"]
FORBIDDEN = {
    "pre_tokenize": _LIBRARIES,
    "count_pairs": _LIBRARIES,
    "merge_pair": _LIBRARIES,
    "train_bpe": _LIBRARIES,
    "encode": _LIBRARIES,
    "decode": _LIBRARIES,
}
