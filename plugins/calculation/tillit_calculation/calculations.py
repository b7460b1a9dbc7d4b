"""Calculations as acts: made, shown to each who sees them, worked out again. What was seen stays, whatever rates do."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sidecar.plugin_api import ConflictError, Core, NotFoundError, PlaceView, PluginAct, Record, Records, new_id
from tillit_calculation.engine import Calculation, calculate, replay
from tillit_calculation.formulas import NEWEST
from tillit_calculation.inputs import FIELDS, Inputs, read_inputs
from tillit_calculation.rates import RateTable, in_force, parse_table

CALCULATIONS, TABLES, VIEWS = "calculations", "tables", "views"  # the collections


@dataclass(frozen=True)
class Kept:
    """A calculation as it was shown. data: the canonical bytes. n: its number in the meeting, from 1."""

    id: str
    meeting: str
    n: int
    by: str
    at: str
    data: bytes = field(repr=False)
    digest: str
    inputs: Mapping[str, Any]
    figures: Mapping[str, Any] = field(repr=False)
    table: str
    table_digest: str
    formula: str


@dataclass(frozen=True)
class Replay:
    """same: the figures came out byte for byte."""

    same: bool
    digest: str


class Calculations:
    """The calculator of every meeting."""

    def __init__(
        self, *, core: Core, tables: Mapping[str, RateTable], product: str, clock: Callable[[], datetime]
    ) -> None:
        self._core, self._tables, self._product, self._clock = core, tables, product, clock

    def table(self, brand: str) -> RateTable:
        """Return the rate table in force where the bank is. Raises NotFoundError."""
        today = self._clock().astimezone(ZoneInfo(self._core.brand(brand).time_zone)).date()
        found = in_force(self._tables, self._product, today)
        if found is None:
            raise NotFoundError("No rate table is in force.")
        return found

    def of_meeting(self, meeting: str) -> list[Kept]:
        """Return a meeting's calculations in the order they were made."""
        found = [_read(each) for each in self._core.records().find(CALCULATIONS, meeting=meeting, limit=5000)]
        return sorted(found, key=lambda each: each.n)

    def get(self, calculation: str, *, meeting: str) -> Kept:
        """Raises NotFoundError, also for another meeting's."""
        found = _read(self._core.records().get(CALCULATIONS, calculation))
        if found.meeting != meeting:
            raise NotFoundError("There is nothing here, or not for you.")
        return found

    def make(self, given: object, *, place: PlaceView, undo: bool = False) -> Kept:
        """Calculate and keep it. Raises InvalidInputError naming the field."""
        table = self.table(place.brand)
        made = calculate(read_inputs(given, table), table, NEWEST)
        before = self.of_meeting(place.meeting)
        last = before[-1] if before else None
        if last is not None and last.data == made.data:
            return last  # the same figures again say nothing new
        kept = _kept(made, place=place, n=(last.n if last else 0) + 1, at=self._clock())
        changed = [name for name in FIELDS if last is None or last.inputs[name] != kept.inputs[name]]
        data = {
            "calculation": kept.id,
            "n": kept.n,
            "sha256": kept.digest,
            "table": kept.table,
            "table_sha256": kept.table_digest,
            "formula": kept.formula,
            "changed": changed,
            "undo": undo,
        }
        public = {"calculation": kept.id, "n": kept.n, "by": place.participant, "changed": changed}
        act = PluginAct("calculation.made", data, place=place, public=public)

        def keep(records: Records) -> Kept:
            records.put(CALCULATIONS, kept.id, _body(kept), meeting=place.meeting, expected=0)
            _keep_table(records, table, place.meeting)
            return kept

        return self._core.perform(act, effect=keep)

    def note_shown(self, kept: Kept, place: PlaceView) -> None:
        """Record that this person sees these figures, before they do. Once for each person and calculation."""
        view = f"{kept.id}:{place.participant}"
        try:
            self._core.records().get(VIEWS, view)
            return
        except NotFoundError:
            pass
        data = {"calculation": kept.id, "n": kept.n, "sha256": kept.digest}
        act = PluginAct("calculation.shown", data, place=place)
        body = {"calculation": kept.id, "participant": place.participant, "person": place.person}
        try:
            self._core.perform(
                act, effect=lambda records: records.put(VIEWS, view, body, meeting=place.meeting, expected=0)
            )
        except ConflictError:
            return  # another tab of the same person was first

    def viewers(self, kept: Kept) -> list[str]:
        """Return the places that saw a calculation."""
        found = self._core.records().find(VIEWS, meeting=kept.meeting, limit=5000)
        return [each.body["participant"] for each in found if each.body["calculation"] == kept.id]

    def replay(self, kept: Kept) -> Replay:
        """Work it out again with the table and formula of then. Raises NotFoundError where the table is gone."""
        made = replay(kept.data, self._table_then(kept))
        return Replay(made.data == kept.data, made.digest)

    def figures_for_form(self, kept: Kept) -> dict[str, str]:
        """Return what a form may ask for, under the names our forms use."""
        inputs = kept.inputs
        return {
            "amount": str(inputs["amount"]),
            "property_value": str(inputs["value"]),
            "years": str(inputs["years"]),
            "rate_type": inputs["binding"],
            "rate": kept.figures["nominal"],
        }

    def _table_then(self, kept: Kept) -> RateTable:
        """Return the table of then: from the files while they are unchanged, else the copy kept with the meeting."""
        known = self._tables.get(kept.table)
        if known is not None and known.digest == kept.table_digest:
            return known
        source = self._core.records().get(TABLES, _table_id(kept.meeting, kept.table_digest)).body["source"]
        return parse_table(source.encode("utf-8"), file="table")


def _keep_table(records: Records, table: RateTable, meeting: str) -> None:
    id = _table_id(meeting, table.digest)
    try:
        records.get(TABLES, id)
    except NotFoundError:
        records.put(TABLES, id, {"ref": table.ref, "source": table.source}, meeting=meeting)


def _table_id(meeting: str, digest: str) -> str:
    return f"{meeting}:{digest[:20]}"


def _kept(made: Calculation, *, place: PlaceView, n: int, at: datetime) -> Kept:
    return Kept(
        id=new_id("calc"),
        meeting=place.meeting,
        n=n,
        by=place.person,
        at=at.isoformat(),
        data=made.data,
        digest=made.digest,
        inputs=made.inputs.as_values(),
        figures=made.figures,
        table=made.table,
        table_digest=made.table_digest,
        formula=made.formula,
    )


def _body(kept: Kept) -> dict[str, Any]:
    return {
        "n": kept.n,
        "by": kept.by,
        "at": kept.at,
        "data": kept.data.decode("ascii"),
        "digest": kept.digest,
        "inputs": dict(kept.inputs),
        "figures": dict(kept.figures),
        "table": kept.table,
        "table_digest": kept.table_digest,
        "formula": kept.formula,
    }


def _read(record: Record) -> Kept:
    body = dict(record.body)
    body["data"] = body["data"].encode("ascii")
    return Kept(id=record.id, meeting=record.meeting or "", **body)


def default_inputs(table: RateTable) -> Inputs:
    """Return where the sliders stand before the first calculation."""
    return Inputs(2_000_000, 3_000_000, 40, table.rates[0].binding, "annuity")
