"""Remembers the room in the last block instead of the length, which allows a lazy choice of the next block."""


class BlockAllocator:
    def __init__(self, n_blocks, block_size):
        self.block_size = block_size
        self.memory = [None] * (n_blocks * block_size)  # one flat memory
        self.count = np.zeros(n_blocks, dtype=np.int64)
        self.tables, self.room = {}, {}
        self.serial = iter(range(10**9))

    def n_free(self):
        return int((self.count == 0).sum())

    def ref_count(self, block):
        return int(self.count[block])

    def table(self, seq):
        return list(self.tables[seq])

    def read(self, seq):
        size = self.block_size
        tokens = []
        for block in self.tables[seq]:
            tokens += self.memory[block * size : (block + 1) * size]
        return tokens[: len(tokens) - self.room[seq]]

    def _grab(self):
        free = np.flatnonzero(self.count == 0)
        if len(free) == 0:
            raise MemoryError("full")
        self.count[free[-1]] = 1
        return int(free[-1])

    def allocate(self, tokens):
        if blocks_needed(len(tokens), self.block_size) > self.n_free():
            raise MemoryError("full")
        seq = next(self.serial)
        self.tables[seq], self.room[seq] = [], 0
        for token in tokens:
            self.append(seq, token)
        return seq

    def fork(self, seq):
        table = list(self.tables[seq])
        self.count[table] += 1
        new = next(self.serial)
        self.tables[new], self.room[new] = table, self.room[seq]
        return new

    def append(self, seq, token):
        table, size = self.tables[seq], self.block_size
        if self.room[seq] == 0:
            table.append(self._grab())
            self.room[seq] = size
        elif self.count[table[-1]] > 1:
            old, new = table[-1], self._grab()
            self.memory[new * size : (new + 1) * size] = self.memory[
                old * size : (old + 1) * size
            ]
            self.count[old] -= 1
            table[-1] = new
        self.memory[(table[-1] + 1) * size - self.room[seq]] = token
        self.room[seq] -= 1

    def free(self, seq):
        self.count[self.tables.pop(seq)] -= 1
        del self.room[seq]
