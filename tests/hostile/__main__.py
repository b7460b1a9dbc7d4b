"""python -m tests.hostile [--write | --check] [--quick] [--only prosody|embedded]: script/hostile-client."""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from sidecar.domain.permissions import Capacity
from tests.hostile import on_bridge, on_prosody
from tests.hostile.columns import Cell, Column, columns, representative
from tests.hostile.table import PAGE, Table, page
from tests.prosody.stand import ROOT, new_stand

_ON_PROSODY = (
    "Our six modules on a plain Debian Prosody; the client speaks XMPP over a WebSocket. A victim and a scripted "
    "Jicofo stand in the room and watch."
)
_EMBEDDED = (
    "The web process and the media bridge; the client sends HTTP requests by hand and offers microphone, camera and "
    "share at once. What an act did is looked up in the stores, at the victim's client and in the audit log. A "
    "recorder has no place of its own here, so nobody can come as one."
)


def on_prosody_table(tried: Sequence[Column], told: Callable[[str], None]) -> Table:
    with tempfile.TemporaryDirectory(prefix="tillit-hostile-") as folder:
        stand = new_stand(Path(folder))
        try:

            def one(column: Column) -> Awaitable[dict[str, Cell]]:
                return on_prosody.try_column(stand, column, f"r{tried.index(column):03}")

            results = asyncio.run(_each(tried, one, "Prosody", told))
            broken = [line for line in stand.log().splitlines() if "\terror\t" in line]
        finally:
            stand.stop()
            stand.sidecar.stop()
    if broken:
        raise RuntimeError("Prosody's log has errors:\n" + "\n".join(broken[:20]))
    return Table("Prosody", _ON_PROSODY, tried, results)


def embedded_table(tried: Sequence[Column], told: Callable[[str], None]) -> Table:
    possible = [column for column in tried if column.places and column.capacity is not Capacity.RECORDER]
    with (
        tempfile.TemporaryDirectory(prefix="tillit-hostile-", ignore_cleanup_errors=True) as folder,
        on_bridge.running_product(Path(folder)) as product,
    ):

        def one(column: Column) -> Awaitable[dict[str, Cell]]:
            return on_bridge.try_column(product, column)

        results = asyncio.run(_each(possible, one, "embedded", told))
    return Table("Embedded bridge and web", _EMBEDDED, possible, results)


async def _each(
    tried: Sequence[Column],
    one: Callable[[Column], Awaitable[dict[str, Cell]]],
    where: str,
    told: Callable[[str], None],
) -> dict[Column, dict[str, Cell]]:
    results = {}
    for number, column in enumerate(tried, start=1):
        told(f"{where} {number}/{len(tried)}: {column.section}, {column.capacity}")
        results[column] = await one(column)
    return results


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description="Try every forbidden act, as everybody, in every band.")
    parser.add_argument("--write", action="store_true", help=f"write {PAGE}")
    parser.add_argument("--check", action="store_true", help=f"exit 1 where {PAGE} says something else")
    parser.add_argument("--quick", action="store_true", help="adviser, customer and observer of each band only")
    parser.add_argument("--only", choices=("prosody", "embedded"), help="one of the two servers")
    given = parser.parse_args(arguments)
    tried = representative() if given.quick else list(columns())

    def told(step: str) -> None:
        print(step, file=sys.stderr, flush=True)

    tables = []
    if given.only != "embedded":
        tables.append(on_prosody_table(tried, told))
    if given.only != "prosody":
        tables.append(embedded_table(tried, told))
    text = page(tables, tried)
    print(text)
    faults = [fault for table in tables for fault in table.faults]
    for fault in faults:
        print(fault, file=sys.stderr)
    print(f"{len(faults)} of {sum(table.counts[0] for table in tables):,} tries went wrong", file=sys.stderr)
    if given.write and not faults and not given.only:
        (ROOT / PAGE).write_text(text, "utf-8")
    if given.check and (ROOT / PAGE).read_text("utf-8") != text:
        print(f"{PAGE} says something else: run script/hostile-client --write", file=sys.stderr)
        return 1
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
