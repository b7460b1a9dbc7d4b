"""Which permissions an act needs, said once for both servers."""

# All of one of these sets. An empty tuple: nobody may.
Needs = tuple[frozenset[str], ...]
ALWAYS: Needs = (frozenset(),)
NOBODY: Needs = ()


def needs(*permissions: str) -> Needs:
    """Return an act that needs all of these."""
    return (frozenset(permissions),)


def either(*permissions: str) -> Needs:
    """Return an act that needs one of these."""
    return tuple(frozenset({each}) for each in permissions)


def allows(needed: Needs, held: frozenset[str]) -> bool:
    return any(each <= held for each in needed)
