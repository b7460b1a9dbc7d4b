"""The tree of RFC 9162: published vectors, and every proof of every small tree."""

from functools import partial

import pytest

from sidecar.domain.audit import CompactRange, Tree, extends, includes, leaf_hash, root_of

# The leaves and roots that Certificate Transparency implementations share since RFC 6962.
LEAVES = [
    bytes.fromhex(text)
    for text in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
HASHES = [leaf_hash(bytes([number])) for number in range(34)]


@pytest.mark.parametrize("size", range(1, 9))
def test_roots_are_those_of_certificate_transparency(size: int) -> None:
    leaves = [leaf_hash(data) for data in LEAVES[:size]]

    assert root_of(leaves).hex() == ROOTS[size - 1]
    assert Tree(leaves).root.hex() == ROOTS[size - 1]


def test_the_empty_tree_has_the_hash_of_nothing() -> None:
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

    assert root_of([]).hex() == Tree([]).root.hex() == empty


def test_every_entry_of_every_small_tree_is_proved_where_it_stands_and_nowhere_else() -> None:
    for size in range(1, 34):
        tree = Tree(HASHES[:size])
        for index in range(size):
            path = tree.inclusion(index)
            assert includes(HASHES[index], index=index, size=size, path=path, root=tree.root)
            assert not includes(HASHES[33], index=index, size=size, path=path, root=tree.root)
            elsewhere = (index + 1) % size
            assert size == 1 or not includes(HASHES[index], index=elsewhere, size=size, path=path, root=tree.root)


def test_a_path_too_long_or_too_short_proves_nothing() -> None:
    tree = Tree(HASHES[:13])
    path = tree.inclusion(5)

    assert not includes(HASHES[5], index=5, size=13, path=path[:-1], root=tree.root)
    assert not includes(HASHES[5], index=5, size=13, path=(*path, HASHES[0]), root=tree.root)
    assert not includes(HASHES[5], index=13, size=13, path=path, root=tree.root)
    with pytest.raises(IndexError):
        tree.inclusion(13)


def test_every_small_tree_is_proved_to_extend_each_smaller_one_and_no_other() -> None:
    for new in range(1, 34):
        tree = Tree(HASHES[:new])
        for old in range(1, new + 1):
            proof = tree.consistency(old)
            old_root, other_root = root_of(HASHES[:old]), root_of(HASHES[1 : old + 1])
            proved = partial(extends, old_size=old, new_size=new, new_root=tree.root, path=proof)
            assert proved(old_root=old_root)
            assert not proved(old_root=other_root)


def test_a_log_that_shrank_is_no_extension() -> None:
    root = root_of(HASHES[:4])

    assert not extends(old_size=5, old_root=root, new_size=4, new_root=root, path=())
    assert not extends(old_size=0, old_root=root, new_size=4, new_root=root, path=())
    assert not extends(old_size=3, old_root=root, new_size=4, new_root=root, path=())
    with pytest.raises(IndexError):
        Tree(HASHES[:4]).consistency(5)


def test_whole_subtrees_can_be_pushed_instead_of_their_leaves() -> None:
    tree = CompactRange()
    for start in (0, 8, 16):
        tree.push_perfect(root_of(HASHES[start : start + 8]), 3)
    tree.push(HASHES[24])

    assert tree.size == 25
    assert tree.root == root_of(HASHES[:25])
    with pytest.raises(ValueError, match="multiple"):
        tree.push_perfect(HASHES[0], 1)


def test_a_copied_tree_grows_by_itself() -> None:
    tree = CompactRange()
    tree.push(HASHES[0])
    other = tree.copy()
    other.push(HASHES[1])

    assert (tree.size, other.size) == (1, 2)
    assert tree.root == HASHES[0]
    assert other.root == root_of(HASHES[:2])
