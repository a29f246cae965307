"""Sets and explicit bookkeeping, blocks taken from the end, prompt written block by block."""


class BlockAllocator:
    def __init__(self, n_blocks, block_size):
        self.n_blocks, self.block_size = n_blocks, block_size
        self.free_blocks = set(range(n_blocks))
        self.content = {}  # block -> list of tokens, as many as are written
        self.owners = {}  # block -> number of tables
        self.tables = {}
        self.made = 0

    def n_free(self):
        return len(self.free_blocks)

    def table(self, seq):
        return list(self.tables[seq])

    def ref_count(self, block):
        return self.owners.get(block, 0)

    def read(self, seq):
        return [token for block in self._parts(seq) for token in block]

    def _parts(self, seq):
        left = self.lengths[seq]
        for block in self.tables[seq]:
            yield self.content[block][: min(left, self.block_size)]
            left -= self.block_size

    def _take(self, tokens):
        if not self.free_blocks:
            raise MemoryError
        block = max(self.free_blocks)
        self.free_blocks.remove(block)
        self.content[block], self.owners[block] = list(tokens), 1
        return block

    lengths = None

    def _new(self, table, length):
        seq = 100 + self.made
        self.made += 1
        self.lengths = self.lengths or {}
        self.tables[seq], self.lengths[seq] = table, length
        return seq

    def allocate(self, tokens):
        size = self.block_size
        parts = [tokens[i : i + size] for i in range(0, len(tokens), size)]
        if len(parts) > len(self.free_blocks):
            raise MemoryError
        return self._new([self._take(part) for part in parts], len(tokens))

    def fork(self, seq):
        for block in self.tables[seq]:
            self.owners[block] += 1
        return self._new(list(self.tables[seq]), self.lengths[seq])

    def append(self, seq, token):
        table = self.tables[seq]
        used = self.lengths[seq] % self.block_size
        if not used:
            table.append(self._take([token]))
        elif self.owners[table[-1]] == 1:
            self.content[table[-1]].append(token)
        else:
            old = table[-1]
            table[-1] = self._take(self.content[old][:used] + [token])
            self.owners[old] -= 1
        self.lengths[seq] += 1

    def free(self, seq):
        for block in self.tables.pop(seq):
            self.owners[block] -= 1
            if not self.owners[block]:
                del self.owners[block], self.content[block]
                self.free_blocks.add(block)
        self.lengths.pop(seq)
