"""Formulas by version. One that was ever used stays as it is; a better one gets the next number."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from tillit_calculation.formulas import mortgage_1
from tillit_calculation.inputs import Inputs
from tillit_calculation.rates import RateTable

Formula = Callable[[Inputs, RateTable], Mapping[str, Any]]

FORMULAS: Mapping[str, Formula] = MappingProxyType({"mortgage@1": mortgage_1.calculate})
NEWEST = "mortgage@1"

__all__ = ["FORMULAS", "NEWEST", "Formula"]
