"""A recursion on the word."""


def encode(text, merges):
    rank = {pair: k for k, pair in enumerate(merges)}

    def reduce(word):
        known = {rank[p] for p in zip(word, word[1:]) if p in rank}
        if not known:
            return word
        k = min(known)
        return reduce(merge_pair(word, merges[k], 256 + k))

    pieces = pre_tokenize(text)
    return sum((reduce([BYTE_TO_ID[b] for b in piece.encode("utf-8")]) for piece in pieces), [])
