"""A review leaves a record: each version of a meeting type stands in the log once, with its dates."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from sidecar.domain.errors import AuditUnavailableError
from sidecar.domain.policy import MeetingType
from sidecar.services.policy_record import record_versions
from sidecar.testing import Product


@pytest.mark.requirement("R029")
def test_each_version_is_recorded_once_with_its_owner_and_review_dates(tmp_path: Path) -> None:
    product = Product(tmp_path)
    policy = product.services.policy
    kept: list[str] = []

    def record(types: Iterable[MeetingType] = policy.types.values()) -> int:
        return record_versions(types, product.services.acts, known=kept, remember=kept.append, now=product.clock())

    assert record() == len(policy.types)
    assert record() == 0

    [mortgage] = [each.data for each in product.records() if each.data.get("type") == "mortgage@1"]
    read = policy.type("mortgage@1")
    assert mortgage["policy_sha256"] == read.source_sha256
    assert (mortgage["owner"], mortgage["next_review"]) == (read.owner, read.next_review.isoformat())

    later = replace(read, ref="mortgage@2", version=2, source_text=read.source_text + "# read again")
    assert record([read, later]) == 1
    assert product.records()[-1].data["type"] == later.ref


@pytest.mark.requirement("R029")
def test_what_the_log_could_not_take_is_recorded_the_next_time(tmp_path: Path) -> None:
    product = Product(tmp_path)
    kept: list[str] = []

    with product.dead_audit(), pytest.raises(AuditUnavailableError):
        record_versions(
            product.services.policy.types.values(),
            product.services.acts,
            known=kept,
            remember=kept.append,
            now=product.clock(),
        )

    assert kept == []
