"""Merkle tree hashing, inclusion and consistency proofs. Source: RFC 9162 section 2.1 (as RFC 6962)."""

import hashlib
from collections.abc import Sequence

HASH_BYTES = 32
EMPTY_ROOT = hashlib.sha256(b"").digest()


def leaf_hash(data: bytes) -> bytes:
    """Return the hash of an entry's bytes; the 0x00 in front keeps a node from passing as an entry."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node."""
    return hashlib.sha256(b"\x01" + left + right).digest()


class Tree:
    """A whole tree kept in memory: all levels, so that root and proofs are look-ups.

    leaves: leaf hashes, or roots of perfect subtrees of one and the same height, the last may be smaller.
    """

    def __init__(self, leaves: Sequence[bytes]) -> None:
        self._levels = [list(leaves)]
        while len(self._levels[-1]) > 1:
            below = self._levels[-1]
            above = [node_hash(below[i], below[i + 1]) for i in range(0, len(below) - 1, 2)]
            if len(below) % 2:
                above.append(below[-1])  # an odd last node rises unchanged: the RFC's uneven split, bottom up
            self._levels.append(above)

    @property
    def size(self) -> int:
        return len(self._levels[0])

    @property
    def root(self) -> bytes:
        return self._levels[-1][0] if self._levels[0] else EMPTY_ROOT

    def inclusion(self, index: int) -> tuple[bytes, ...]:
        """Return the path from leaf `index` to the root. Raises IndexError outside the tree."""
        if not 0 <= index < self.size:
            raise IndexError(index)
        path = []
        for level in self._levels[:-1]:
            sibling = index ^ 1
            if sibling < len(level):
                path.append(level[sibling])
            index >>= 1
        return tuple(path)

    def consistency(self, old_size: int) -> tuple[bytes, ...]:
        """Return the proof that the first `old_size` leaves are a prefix. Raises IndexError outside it."""
        if not 0 < old_size <= self.size:
            raise IndexError(old_size)
        return tuple(self._consistency(old_size, 0, self.size, whole=True))

    def _consistency(self, old: int, start: int, count: int, *, whole: bool) -> list[bytes]:
        """RFC 9162 section 2.1.4.1: SUBPROOF over leaves start .. start + count."""
        if old == count:
            return [] if whole else [self._range_root(start, count)]
        split = _split(count)
        if old <= split:
            proof = self._consistency(old, start, split, whole=whole)
            return [*proof, self._range_root(start + split, count - split)]
        proof = self._consistency(old - split, start + split, count - split, whole=False)
        return [*proof, self._range_root(start, split)]

    def _range_root(self, start: int, count: int) -> bytes:
        height = count.bit_length() - 1
        if count == 1 << height:
            return self._levels[height][start >> height]
        split = _split(count)
        return node_hash(self._range_root(start, split), self._range_root(start + split, count - split))


class CompactRange:
    """A growing tree that keeps only the roots of its perfect subtrees: a few hashes at any size."""

    def __init__(self) -> None:
        self.size = 0
        self._peaks: list[bytes] = []  # left to right, one per set bit of size

    def push(self, leaf: bytes) -> None:
        """Add one leaf hash."""
        size = self.size
        while size & 1:
            leaf = node_hash(self._peaks.pop(), leaf)
            size >>= 1
        self._peaks.append(leaf)
        self.size += 1

    def push_perfect(self, root: bytes, height: int) -> None:
        """Add a perfect subtree of 2**height leaves. Raises ValueError where it does not fit in whole."""
        if self.size % (1 << height):
            raise ValueError("a subtree is added at a multiple of its own size")
        size = self.size >> height
        while size & 1:
            root = node_hash(self._peaks.pop(), root)
            size >>= 1
        self._peaks.append(root)
        self.size += 1 << height

    def copy(self) -> "CompactRange":
        """Return a tree of its own that goes on from here."""
        other = CompactRange()
        other.size, other._peaks = self.size, list(self._peaks)
        return other

    @property
    def peaks(self) -> tuple[bytes, ...]:
        """The roots of the perfect subtrees, left to right: one per set bit of the size, largest first."""
        return tuple(self._peaks)

    @property
    def root(self) -> bytes:
        if not self._peaks:
            return EMPTY_ROOT
        root = self._peaks[-1]
        for peak in reversed(self._peaks[:-1]):
            root = node_hash(peak, root)
        return root


def root_of(leaves: Sequence[bytes]) -> bytes:
    """Return the root over these leaf hashes."""
    tree = CompactRange()
    for leaf in leaves:
        tree.push(leaf)
    return tree.root


def includes(leaf: bytes, *, index: int, size: int, path: Sequence[bytes], root: bytes) -> bool:
    """Say whether the path proves that `leaf` stands at `index` of the tree. RFC 9162 section 2.1.3.2."""
    if not 0 <= index < size:
        return False
    node, last = index, size - 1
    computed = leaf
    for step in path:
        if last == 0:
            return False
        if node & 1 or node == last:
            computed = node_hash(step, computed)
            while not node & 1 and node:
                node >>= 1
                last >>= 1
        else:
            computed = node_hash(computed, step)
        node >>= 1
        last >>= 1
    return last == 0 and computed == root


def extends(*, old_size: int, old_root: bytes, new_size: int, new_root: bytes, path: Sequence[bytes]) -> bool:
    """Say whether the path proves the old tree to be a prefix of the new. RFC 9162 section 2.1.4.2."""
    if not 0 < old_size <= new_size:
        return False
    if old_size == new_size:
        return not path and old_root == new_root
    steps = list(path)
    if old_size & (old_size - 1) == 0:
        steps.insert(0, old_root)
    if not steps:
        return False
    node, last = old_size - 1, new_size - 1
    while node & 1:
        node >>= 1
        last >>= 1
    old = new = steps[0]
    for step in steps[1:]:
        if last == 0:
            return False
        if node & 1 or node == last:
            old, new = node_hash(step, old), node_hash(step, new)
            while not node & 1 and node:
                node >>= 1
                last >>= 1
        else:
            new = node_hash(new, step)
        node >>= 1
        last >>= 1
    return last == 0 and old == old_root and new == new_root


def _split(count: int) -> int:
    """Return the largest power of two smaller than count (count > 1)."""
    return 1 << ((count - 1).bit_length() - 1)
