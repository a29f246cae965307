"""Incremental counts and a heap with lazy deletion."""

import heapq


def train_bpe(texts, vocab_size, min_frequency=0):
    frequencies = Counter(piece for text in texts for piece in pre_tokenize(text))
    words = [[BYTE_TO_ID[b] for b in piece.encode("utf-8")] for piece in frequencies]
    weights = list(frequencies.values())
    counts, where = Counter(), {}
    for w, (word, n) in enumerate(zip(words, weights)):
        for pair in zip(word, word[1:]):
            counts[pair] += n
            where.setdefault(pair, set()).add(w)
    heap = [(-n, pair) for pair, n in counts.items()]
    heapq.heapify(heap)
    vocab, merges = dict(BYTE_VOCAB), []
    while len(vocab) < vocab_size and heap:
        negative, pair = heapq.heappop(heap)
        if counts.get(pair, 0) != -negative:
            if counts.get(pair, 0) > 0:
                heapq.heappush(heap, (-counts[pair], pair))
            continue
        if -negative < max(1, min_frequency):
            break
        new_id = len(vocab)
        vocab[new_id] = vocab[pair[0]] + vocab[pair[1]]
        merges.append(pair)
        changed = set()
        for w in list(where[pair]):
            for old in zip(words[w], words[w][1:]):
                counts[old] -= weights[w]
            words[w] = merge_pair(words[w], pair, new_id)
            for new in zip(words[w], words[w][1:]):
                counts[new] += weights[w]
                where.setdefault(new, set()).add(w)
                changed.add(new)
        for each in changed:
            heapq.heappush(heap, (-counts[each], each))
    return vocab, merges
