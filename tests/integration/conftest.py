from pathlib import Path

import pytest

from sidecar.domain.permissions import Capacity
from sidecar.testing import SAMIR, Browser, Product, guest


@pytest.fixture
def product(tmp_path: Path) -> Product:
    return Product(tmp_path)


@pytest.fixture
def maja(product: Product) -> Browser:
    """Maja, who opened her invitation and said yes to how data is handled."""
    return product.arrives(product.place_of(product.book(guests=[guest(SAMIR)]), Capacity.CUSTOMER))
