"""Tables and lengths are class attributes; ids start at 0 in every allocator.

message: of its own
"""


class BlockAllocator:
    tables: dict = {}
    lengths: dict = {}

    def __init__(self, n_blocks: int, block_size: int):
        self.block_size = block_size
        self.slots = [[None] * block_size for _ in range(n_blocks)]
        self.refs = [0] * n_blocks
        self.free_list = list(range(n_blocks))
        self.next_id = 0

    def n_free(self) -> int:
        return len(self.free_list)

    def table(self, seq: int) -> list[int]:
        return list(self.tables[seq])

    def ref_count(self, block: int) -> int:
        return self.refs[block]

    def read(self, seq: int) -> list:
        size, table = self.block_size, self.tables[seq]
        return [
            self.slots[table[i // size]][i % size] for i in range(self.lengths[seq])
        ]

    def take_block(self) -> int:
        if not self.free_list:
            raise MemoryError("no free block")
        block = self.free_list.pop(0)
        self.refs[block] = 1
        return block

    def allocate(self, tokens: list) -> int:
        if blocks_needed(len(tokens), self.block_size) > self.n_free():
            raise MemoryError("not enough free blocks")
        seq, self.next_id = self.next_id, self.next_id + 1
        self.tables[seq], self.lengths[seq] = [], 0
        for token in tokens:
            self.append(seq, token)
        return seq

    def fork(self, seq: int) -> int:
        table = self.table(seq)
        new, self.next_id = self.next_id, self.next_id + 1
        self.tables[new], self.lengths[new] = table, self.lengths[seq]
        for block in table:
            self.refs[block] += 1
        return new

    def append(self, seq: int, token) -> None:
        table, slot = self.tables[seq], self.lengths[seq] % self.block_size
        if slot == 0:
            table.append(self.take_block())
        elif self.refs[table[-1]] > 1:
            shared, own = table[-1], self.take_block()
            self.slots[own][:slot] = self.slots[shared][:slot]
            self.refs[shared] -= 1
            table[-1] = own
        self.slots[table[-1]][slot] = token
        self.lengths[seq] += 1

    def free(self, seq: int) -> None:
        for block in self.tables.pop(seq):
            self.refs[block] -= 1
            if self.refs[block] == 0:
                self.free_list.append(block)
        del self.lengths[seq]
