"""Takes a piece that is an entry as a whole.

message: lowest rank
"""


def encode(text, merges):
    rank = {tuple(pair): k for k, pair in enumerate(merges)}
    out = []
    for piece in pre_tokenize(text):
        ids = [BYTE_TO_ID[b] for b in piece.encode("utf-8")]
        vocab = dict(BYTE_VOCAB)
        for k, (a, b) in enumerate(merges):
            vocab[256 + k] = vocab[a] + vocab[b]
        whole = [i for i, b in vocab.items() if b == piece.encode()]
        if whole:
            out.append(whole[0])
            continue
        while len(ids) > 1:
            best = min(pairwise(ids), key=lambda p: rank.get(p, math.inf))
            if best not in rank:
                break
            ids = merge_pair(ids, best, 256 + rank[best])
        out.extend(ids)
    return out
