"""With blocks of one slot the second token overwrites the first.

message: opens a block
"""
class BlockAllocator:
    """Paged memory for sequences of tokens: block tables, reference counts, copy-on-write.

    Args of the constructor:
        n_blocks: blocks in the pool.
        block_size: slots per block; one slot holds one token.

    State:
        slots: the pool, a list of n_blocks lists of block_size tokens (or None).
        refs: reference count of every block; 0 if free.
        free_list: ids of the free blocks.
        tables: sequence id -> ids of its blocks, in the order of its tokens.
        lengths: sequence id -> number of its tokens.
    """

    def __init__(self, n_blocks: int, block_size: int):
        self.block_size = block_size
        self.slots = [[None] * block_size for _ in range(n_blocks)]
        self.refs = [0] * n_blocks
        self.free_list = list(range(n_blocks))
        self.tables: dict[int, list[int]] = {}
        self.lengths: dict[int, int] = {}
        self.next_id = 0

    def n_free(self) -> int:
        """Number of free blocks."""
        return len(self.free_list)

    def table(self, seq: int) -> list[int]:
        """Block ids of a sequence, a copy."""
        return list(self.tables[seq])

    def ref_count(self, block: int) -> int:
        """Number of tables that a block is in."""
        return self.refs[block]

    def read(self, seq: int) -> list:
        """The tokens of a sequence, found through its table."""
        size, table = self.block_size, self.tables[seq]
        return [
            self.slots[table[i // size]][i % size] for i in range(self.lengths[seq])
        ]

    def take_block(self) -> int:
        """A free block, its count set to 1. Raises MemoryError if there is none."""
        if not self.free_list:
            raise MemoryError("no free block")
        block = self.free_list.pop(0)
        self.refs[block] = 1
        return block

    def allocate(self, tokens: list) -> int:
        need = -(-len(tokens) // self.block_size)
        if need > len(self.free_list):
            raise MemoryError
        table = [self.take_block() for _ in range(need)]
        for i, tok in enumerate(tokens):
            self.slots[table[i // self.block_size]][i % self.block_size] = tok
        seq = self.next_id
        self.next_id += 1
        self.tables[seq] = table
        self.lengths[seq] = len(tokens)
        return seq

    def fork(self, seq: int) -> int:
        table = list(self.tables[seq])
        for b in table:
            self.refs[b] += 1
        new = self.next_id
        self.next_id += 1
        self.tables[new] = table
        self.lengths[new] = self.lengths[seq]
        return new

    def append(self, seq: int, token) -> None:
        table = self.tables[seq]
        i = self.lengths[seq] % self.block_size
        if i == 0 and self.block_size > 1 or not table:
            table.append(self.take_block())
        elif self.refs[table[-1]] > 1:
            old = table[-1]
            new = self.take_block()
            self.slots[new][:] = self.slots[old]
            self.refs[old] -= 1
            table[-1] = new
        self.slots[table[-1]][i] = token
        self.lengths[seq] += 1

    def free(self, seq: int) -> None:
        table = self.tables.pop(seq)
        del self.lengths[seq]
        for b in table:
            self.refs[b] -= 1
            if self.refs[b] == 0:
                self.free_list.append(b)
