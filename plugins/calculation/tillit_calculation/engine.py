"""A calculation as it is kept: inputs, table version, formula version and figures, in one canonical form of bytes."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import localcontext
from typing import Any

from sidecar.plugin_api import NotFoundError
from tillit_calculation.formulas import FORMULAS
from tillit_calculation.inputs import EXACT, Inputs, read_inputs
from tillit_calculation.rates import RateTable


@dataclass(frozen=True)
class Calculation:
    """data: the canonical bytes; digest: their SHA-256, hex. The bytes hold everything a replay needs but the table."""

    inputs: Inputs
    table: str
    table_digest: str
    formula: str
    figures: Mapping[str, Any]
    data: bytes = field(repr=False)

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.data).hexdigest()


def calculate(inputs: Inputs, table: RateTable, formula: str) -> Calculation:
    """Return the calculation. Raises NotFoundError for a formula that is not known here."""
    work = FORMULAS.get(formula)
    if work is None:
        raise NotFoundError("This version of the formula is not known here.")
    with localcontext(EXACT):  # whatever the thread's own context says
        figures = work(inputs, table)
    body = {
        "formula": formula,
        "inputs": inputs.as_values(),
        "figures": figures,
        "table": table.ref,
        "table_sha256": table.digest,
    }
    data = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode("ascii")
    return Calculation(inputs, table.ref, table.digest, formula, figures, data)


def replay(kept: bytes, table: RateTable) -> Calculation:
    """Work a kept calculation out again, with the table and the formula it was made with.

    The caller compares `data` with what was kept. Raises NotFoundError where the table is another than then.
    """
    body = json.loads(kept)
    if table.ref != body["table"] or table.digest != body["table_sha256"]:
        raise NotFoundError("This is not the rate table the calculation was made with.")
    return calculate(read_inputs(body["inputs"], table), table, body["formula"])
