"""The table [plugins.calculation], checked."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sidecar.plugin_api import ConfigurationError

SHIPPED = Path(__file__).parent / "tables"


@dataclass(frozen=True)
class CalculationSettings:
    """tables_folder: where the bank keeps its rate tables. product: which of them the calculator uses."""

    tables_folder: Path = SHIPPED
    product: str = "mortgage"


def read_settings(table: Mapping[str, Any]) -> CalculationSettings:
    """Return the checked settings. Raises ConfigurationError naming the key and the rule."""
    for key in sorted(set(table) - {"tables_folder", "product"}):
        raise ConfigurationError(f"plugins.calculation has the unknown key {key}")
    folder, product = table.get("tables_folder", ""), table.get("product", "mortgage")
    if not isinstance(folder, str) or not isinstance(product, str) or not product:
        raise ConfigurationError("plugins.calculation.tables_folder and product are texts")
    if folder and not Path(folder).is_dir():
        raise ConfigurationError("plugins.calculation.tables_folder is no folder")
    return CalculationSettings(Path(folder) if folder else SHIPPED, product)
