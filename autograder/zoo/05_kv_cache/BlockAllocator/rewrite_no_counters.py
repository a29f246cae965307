"""Keeps no counters: who shares a block is found by looking through all tables."""


class BlockAllocator:
    def __init__(self, n_blocks, block_size):
        self.block_size = block_size
        self.slots = [[None] * block_size for _ in range(n_blocks)]
        self.sequences = {}  # id -> [table, length]
        self.last_id = -1

    def ref_count(self, block):
        return sum(block in table for table, _ in self.sequences.values())

    def _unused(self):
        return [b for b in range(len(self.slots)) if self.ref_count(b) == 0]

    def n_free(self):
        return len(self._unused())

    def table(self, seq):
        return self.sequences[seq][0][:]

    def read(self, seq):
        table, length = self.sequences[seq]
        return [token for block in table for token in self.slots[block]][:length]

    def _store(self, table, length):
        self.last_id += 1
        self.sequences[self.last_id] = [table, length]
        return self.last_id

    def allocate(self, tokens):
        size = self.block_size
        unused, count = self._unused(), -(-len(tokens) // size)
        if count > len(unused):
            raise MemoryError("the pool is full")
        for i, token in enumerate(tokens):
            self.slots[unused[i // size]][i % size] = token
        return self._store(unused[:count], len(tokens))

    def fork(self, seq):
        return self._store(self.table(seq), self.sequences[seq][1])

    def append(self, seq, token):
        entry = self.sequences[seq]
        table, length = entry
        used = length % self.block_size
        if used == 0 or self.ref_count(table[-1]) > 1:
            unused = self._unused()
            if not unused:
                raise MemoryError("the pool is full")
            if used:
                self.slots[unused[-1]] = list(self.slots[table[-1]])
                table[-1] = unused[-1]
            else:
                table.append(unused[-1])
        self.slots[table[-1]][used] = token
        entry[1] = length + 1

    def free(self, seq):
        del self.sequences[seq]
