"""Section 6 of 05_kv_cache. The block allocator."""

from autograder.suite import Draw, Student, exercise, expect

from .oracles import filled, whole

# --- BlockAllocator -----------------------------------------------------------------------


class Model:
    """Sequences as lists of (block object, tokens): which blocks live is found by sweeping."""

    def __init__(self, bs: int) -> None:
        self.bs = bs
        self.tokens: dict[int, list] = {}
        self.blocks: dict[int, list[object]] = {}

    def live(self) -> int:
        """Blocks that some sequence can reach."""
        return len({id(block) for table in self.blocks.values() for block in table})

    def shared(self, seq: int) -> bool:
        """Whether the last block is in another sequence's table, too."""
        last = self.blocks[seq][-1]
        return sum(block is last for table in self.blocks.values() for block in table) > 1

    def needs_block(self, seq: int) -> bool:
        return len(self.tokens[seq]) % self.bs == 0 or self.shared(seq)

    def allocate(self, seq: int, tokens: list) -> None:
        self.tokens[seq] = list(tokens)
        self.blocks[seq] = [object() for _ in range(filled(len(tokens), self.bs))]

    def fork(self, seq: int, new: int) -> None:
        self.tokens[new], self.blocks[new] = list(self.tokens[seq]), list(self.blocks[seq])

    def append(self, seq: int, token) -> None:
        if len(self.tokens[seq]) % self.bs == 0:
            self.blocks[seq].append(object())
        elif self.shared(seq):
            self.blocks[seq][-1] = object()
        self.tokens[seq].append(token)

    def free(self, seq: int) -> None:
        del self.tokens[seq], self.blocks[seq]


def start(student: Student, draw: Draw, length_mod: int | None = None):
    """A pool with one sequence: (pool, its id, tokens, block size, blocks in the pool)."""
    bs, n = draw.integer(4, 7), draw.integer(12, 17)
    rest = draw.integer(1, bs - 1) if length_mod is None else length_mod
    tokens = draw.integers(0, 1000, 2 * bs + rest).tolist()
    pool = student.new("BlockAllocator", n, bs)
    return pool, new_id(pool.allocate(tokens)), tokens, bs, n


def new_id(value) -> int:
    """The id that allocate or fork returned."""
    return whole(value, "allocate and fork return the id of the new sequence, an int.")


def table_of(pool, seq: int) -> list[int]:
    """A sequence's block table."""
    blocks = pool.table(seq)
    expect(blocks).true(isinstance(blocks, list), "table returns a list of block ids.")
    return [whole(block, "Block ids are whole numbers.") for block in blocks]


USED_BEFORE = "Every new sequence, a fork included, gets an id that was not used before."


def reads(pool, seq: int, want: list, message: str) -> None:
    """What a sequence reads through its table."""
    expect(pool.read(seq)).equals(want, message)


@exercise("BlockAllocator")
def test_allocate_takes_just_the_blocks_it_needs(student: Student, draw: Draw):
    """Prompts of 0 tokens, an exact multiple, and between."""
    bs, n = draw.integer(3, 8), 20
    pool = student.new("BlockAllocator", n, bs)
    used, ids, blocks = 0, [], []
    for length in (2 * bs + 1, 0, 2 * bs, bs - 1):
        tokens = draw.integers(0, 1000, length).tolist()
        seq = new_id(pool.allocate(tokens))
        reads(pool, seq, tokens, "After allocate(tokens) the sequence reads exactly these tokens.")
        used += filled(length, bs)
        expect(pool.n_free()).equals(
            n - used,
            "allocate takes blocks_needed(len(tokens), block_size) blocks: none for an empty "
            "prompt, no spare one at an exact multiple.",
        )
        ids, blocks = [*ids, seq], blocks + table_of(pool, seq)
    expect(ids).true(len(set(ids)) == 4, USED_BEFORE)
    expect(blocks).true(
        len(set(blocks)) == len(blocks) and set(blocks) <= set(range(n)),
        "Sequences that were not forked have no block in common.",
    )
    for old in (max(ids), ids[1]):
        pool.free(old)
        new = new_id(pool.allocate([]))
        expect(new in ids).equals(False, USED_BEFORE)
        ids.append(new)


@exercise("BlockAllocator")
def test_append_fills_the_last_block_before_the_next(student: Student, draw: Draw):
    """From empty, token by token, over two block edges."""
    bs = draw.integer(3, 6)
    pool = student.new("BlockAllocator", 9, bs)
    seq, tokens = new_id(pool.allocate([])), draw.integers(0, 1000, 2 * bs + 1).tolist()
    for count, token in enumerate(tokens, start=1):
        pool.append(seq, token)
        expect(pool.n_free()).equals(
            9 - filled(count, bs),
            "append takes a block when the last one is full (or there is none), and only then.",
        )
    reads(pool, seq, tokens, "Appended tokens are read in the order in which they came.")


@exercise("BlockAllocator")
def test_two_allocators_have_nothing_in_common(student: Student, draw: Draw):
    """Two pools of different sizes, used in turn."""
    small, large = (student.new("BlockAllocator", n, bs) for n, bs in ((3, 2), (8, 4)))
    first, second = draw.integers(0, 1000, 4).tolist(), draw.integers(0, 1000, 9).tolist()
    message = "Every allocator has blocks, tables and counts of its own: set them on self."
    a = new_id(small.allocate(first))
    expect([small.n_free(), large.n_free()]).equals([1, 8], message)
    b = new_id(large.allocate(second))
    small.append(a, 7)
    expect([small.n_free(), large.n_free()]).equals([0, 5], message)
    reads(small, a, [*first, 7], message)
    reads(large, b, second, message)
    small.free(a)
    expect([small.n_free(), large.n_free()]).equals([3, 5], message)
    reads(large, b, second, message)


@exercise("BlockAllocator")
def test_blocks_of_one_slot_and_tokens_that_are_zero(student: Student, draw: Draw):
    """Blocks of one slot that were in use before; every second token is 0."""
    n = draw.integer(6, 12)
    pool = student.new("BlockAllocator", n, 1)
    pool.free(new_id(pool.allocate(draw.integers(1, 1000, n).tolist())))
    seq, tokens = new_id(pool.allocate([])), draw.integers(1, 1000, 4).tolist()
    tokens[1] = tokens[3] = 0
    for token in tokens:
        pool.append(seq, token)
    message = "With one slot per block every token opens a block; 0 is a token."
    expect(pool.n_free()).equals(n - 4, message)
    reads(pool, seq, tokens, message)


@exercise("BlockAllocator")
def test_a_fork_shares_all_blocks_and_copies_none(student: Student, draw: Draw):
    """Fork, and a fork of the fork."""
    pool, a, tokens, _, _ = start(student, draw)
    free = pool.n_free()
    b = new_id(pool.fork(a))
    c = new_id(pool.fork(b))
    expect(pool.n_free()).equals(free, "A fork copies nothing and takes no block: tables only.")
    expect(len({a, b, c})).equals(3, USED_BEFORE)
    for seq in (b, c):
        expect(table_of(pool, seq)).equals(
            table_of(pool, a), "A fork's table lists the same blocks."
        )
        reads(pool, seq, tokens, "A fork reads the same tokens.")
    counts = [pool.ref_count(block) for block in table_of(pool, a)]
    expect(counts).equals(
        [3] * len(counts), "The reference count of a block is the number of tables it is in."
    )
    pool.free(b)
    expect(new_id(pool.fork(a)) in (a, b, c)).equals(False, USED_BEFORE)


@exercise("BlockAllocator", weight=2)
def test_append_copies_a_shared_last_block(student: Student, draw: Draw):
    """Three sequences share a half full last block; the parent or a fork appends."""
    for writer in range(3):
        pool, a, tokens, _, _ = start(student, draw)
        family = [a, new_id(pool.fork(a)), new_id(pool.fork(a))]
        before, free = table_of(pool, a), pool.n_free()
        pool.append(family[writer], -1)
        expect(table_of(pool, family[writer])[-1:] == before[-1:]).equals(
            False,
            "A shared block is copied before it is written to, whoever writes, the parent or a "
            "fork: the writer's table ends with the copy.",
        )
        for seq in family[:writer] + family[writer + 1 :]:
            expect(table_of(pool, seq)).equals(
                before, "An append changes no other sequence's table."
            )
            reads(pool, seq, tokens, "An append to one sequence changed what another one reads.")
        reads(
            pool,
            family[writer],
            [*tokens, -1],
            "After the copy the sequence reads its old tokens and the new one.",
        )
        after = table_of(pool, family[writer])
        expect(after[:-1]).equals(before[:-1], "Full blocks stay shared and keep their place.")
        expect(pool.n_free()).equals(
            free - 1,
            "Copy-on-write takes one block: only the last one is copied, full ones stay shared.",
        )
        counts = [pool.ref_count(block) for block in [*before, *after[-1:]]]
        expect(counts).equals(
            [3] * (len(before) - 1) + [2, 1],
            "After the copy the old block has one owner less, the new block has one, and full "
            "blocks still have all three.",
        )


@exercise("BlockAllocator")
def test_the_last_owner_writes_in_place(student: Student, draw: Draw):
    """Two sequences share; after one has copied or is gone, the other owns the block."""
    for parted in ("append", "free"):
        pool, a, tokens, _, _ = start(student, draw)
        b = new_id(pool.fork(a))
        pool.append(b, -1) if parted == "append" else pool.free(b)
        table, free = table_of(pool, a), pool.n_free()
        pool.append(a, -2)
        expect((pool.n_free(), table_of(pool, a))).equals(
            (free, table), "A block with a single owner is written in place: no copy, no new block."
        )
        reads(pool, a, [*tokens, -2], "A token written in place follows the others.")
        if parted == "append":
            reads(pool, b, [*tokens, -1], "Each of the two sequences keeps its own last token.")


@exercise("BlockAllocator")
def test_a_full_shared_block_is_never_copied(student: Student, draw: Draw):
    """A fork at an exact multiple of the block size."""
    pool, a, tokens, _, _ = start(student, draw, length_mod=0)
    b = new_id(pool.fork(a))
    table, free = table_of(pool, a), pool.n_free()
    pool.append(b, -1)
    pool.append(a, -2)
    tables = table_of(pool, a), table_of(pool, b)
    expect((tables[0][:-1], tables[1][:-1])).equals(
        (table, table),
        "A full block is never written again, so it stays shared: the token opens a new block.",
    )
    expect(pool.n_free()).equals(free - 2, "Each of the two sequences takes one new block.")
    reads(pool, a, [*tokens, -2], "The two sequences differ in their last token.")
    reads(pool, b, [*tokens, -1], "The two sequences differ in their last token.")


@exercise("BlockAllocator", weight=2)
def test_free_keeps_what_others_share(student: Student, draw: Draw):
    """The parent is freed, its fork stays; the pool is then filled up."""
    pool, a, tokens, bs, n = start(student, draw)
    b = new_id(pool.fork(a))
    shared = table_of(pool, a)
    pool.append(a, -1)
    pool.free(a)
    expect(pool.n_free()).equals(
        n - len(shared),
        "free gives back the blocks that nobody else holds, and no shared one.",
    )
    others = [new_id(pool.allocate([-5] * bs)) for _ in range(n - len(shared))]
    expect(pool.n_free()).equals(0, "Blocks that were given back can be allocated again.")
    reads(pool, b, tokens, "A block that was still shared has been freed and overwritten.")
    for seq in [b, *others]:
        pool.free(seq)
    expect(pool.n_free()).equals(n, "When all sequences are freed, all blocks are free.")
    expect([pool.ref_count(block) for block in range(n)]).equals(
        [0] * n, "A free block has the reference count 0."
    )


@exercise("BlockAllocator")
def test_a_full_pool_raises_and_nothing_changes(student: Student, draw: Draw):
    """allocate, append to a full block, and copy-on-write, with too few free blocks."""
    bs = draw.integer(4, 7)
    pool = student.new("BlockAllocator", 4, bs)
    half, full = list(range(bs + 2)), list(range(bs))
    a = new_id(pool.allocate(half))
    raised = pool.raised("allocate", [0] * (2 * bs + 1))
    expect(raised).equals("MemoryError", "allocate raises MemoryError if there are too few blocks.")
    expect(pool.n_free()).equals(
        2, "A failed allocate takes nothing: count the blocks before you take the first."
    )
    b = new_id(pool.allocate(full))
    c = new_id(pool.allocate(full))
    d = new_id(pool.fork(a))
    tables = [table_of(pool, seq) for seq in (a, b, c, d)]
    counts = [pool.ref_count(block) for block in range(4)]
    for seq in (b, d):
        expect(pool.raised("append", seq, -1)).equals(
            "MemoryError", "append raises MemoryError if it needs a block and none is free."
        )
    after = [table_of(pool, seq) for seq in (a, b, c, d)], [pool.ref_count(i) for i in range(4)]
    expect(after).equals(
        (tables, counts),
        "A failed append changes nothing: take the new block before you let go of the old one.",
    )
    for seq, want in ((a, half), (b, full), (c, full), (d, half)):
        message = "A failed append leaves all tokens and lengths as they were."
        expect(pool.raised("read", seq)).equals(None, message)
        reads(pool, seq, want, message)
    pool.free(c)
    pool.append(d, -1)
    reads(pool, d, [*half, -1], "When a block is free again, the append succeeds.")


@exercise("BlockAllocator", weight=0.5)
def test_unknown_and_freed_sequences_raise_key_errors(student: Student, draw: Draw):
    """Every method on a freed id, and on one that never was."""
    pool, a, _, _, n = start(student, draw)
    b = new_id(pool.fork(a))
    pool.free(a)
    free = pool.n_free()
    for seq in (a, 10_000):
        raised = [pool.raised("append", seq, 1), pool.raised("fork", seq), pool.raised("free", seq)]
        expect(raised).equals(["KeyError"] * 3, "An unknown or freed sequence raises KeyError.")
    expect(pool.n_free()).equals(free, "Freeing a sequence twice must not give blocks back twice.")
    pool.free(b)
    expect(pool.n_free()).equals(n, "After the last free all blocks are free, none of them twice.")


@exercise("BlockAllocator", weight=2)
def test_a_long_random_story_keeps_every_sequence_intact(student: Student, draw: Draw):
    """A few chosen operations, then 120 random ones, against plain lists."""
    bs, n = 7, 24
    pool, truth = student.new("BlockAllocator", n, bs), Model(bs)
    _act(pool, truth, "allocate", 0, list(range(bs + 2)))
    for action, index in (("fork", 0), ("fork", 1), ("append", 0), ("append", 1)):
        _act(pool, truth, action, index, [])
    _act(pool, truth, "allocate", 0, list(range(2 * bs)))
    for action, index in (("fork", 3), ("append", 4), ("append", 3), ("allocate", 0)):
        _act(pool, truth, action, index, [])
    _compare(pool, truth, n)
    for turn in range(120):
        action = draw.choice(["allocate", "fork", "fork", "append", "append", "append", "free"])
        index = draw.integer(0, len(truth.tokens))
        seq = list(truth.tokens)[index]
        full = truth.needs_block(seq) and truth.live() == n
        if action == "allocate" and truth.live() >= n - 3 or action == "append" and full:
            continue
        if action == "fork" and len(truth.tokens) > 6 or action == "free" and len(truth.tokens) < 4:
            continue
        tokens = [turn * 10 + i for i in range(draw.integer(1, 20))]
        _act(pool, truth, action, index, tokens)
        if turn % 10 == 9:
            _compare(pool, truth, n)
    _compare(pool, truth, n)


def _act(pool, truth: Model, action: str, index: int, tokens: list) -> None:
    """One operation on the pool and on the lists, on the sequence that is `index` oldest."""
    seq = list(truth.tokens)[index] if truth.tokens else None
    if action in ("allocate", "fork"):
        new = new_id(pool.allocate(tokens) if action == "allocate" else pool.fork(seq))
        expect(new in truth.tokens).equals(False, USED_BEFORE)
    if action == "allocate":
        truth.allocate(new, tokens)
    elif action == "fork":
        truth.fork(seq, new)
    elif action == "append":
        token = len(truth.tokens[seq]) * 1000 + index
        pool.append(seq, token)
        truth.append(seq, token)
    else:
        pool.free(seq)
        truth.free(seq)


def _compare(pool, truth: Model, n: int) -> None:
    """All contents and counts of a pool."""
    tables = {seq: table_of(pool, seq) for seq in truth.tokens}
    for seq, tokens in truth.tokens.items():
        reads(
            pool, seq, tokens, "After many operations a sequence reads other tokens than its own."
        )
    expect(pool.n_free()).equals(
        n - truth.live(),
        "Free blocks and blocks that some sequence holds must add up to the whole pool.",
    )
    counts = [pool.ref_count(block) for block in range(n)]
    want = [sum(block in table for table in tables.values()) for block in range(n)]
    expect(counts).equals(want, "The reference count of a block is the number of tables it is in.")
