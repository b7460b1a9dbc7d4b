"""The rules as a lawyer reads them: which types there are, and one type against its band's floor."""

from typing import Any

from babel.numbers import format_decimal
from flask import render_template

from sidecar.domain.policy import overdue, policy_digest
from sidecar.web.access import access
from sidecar.web.desk.blueprint import desk
from sidecar.web.desk.rules_view import grants, narrowed, rules_of
from sidecar.web.guard import services, staff, translator


@desk.get("/rules")
@access("staff")
def rules() -> str:
    """List the meeting types in force, what must never happen, and the integrations."""
    product = services()
    product.staff.require(staff(), "read_rules")
    today = product.clock().date()
    used = {each["plugin"]: each["meetings"] for each in product.integrations_used()}
    return render_template(
        "staff/rules.html",
        types=product.policy.current_types(today=today),
        overdue={each.ref for each in overdue(product.policy, today)},
        never=product.policy.never,
        integrations=[row | {"meetings": used.get(row["manifest"]["name"], 0)} for row in _register()],
        proved=format_decimal(product.policy.proved, locale=translator().locale),
    )


@desk.get("/rules/<name>")
@access("staff")
def rule(name: str) -> str:
    """Show one type: each rule with its reason, what lies below the floor, and what was chosen."""
    product = services()
    product.staff.require(staff(), "read_rules")
    today = product.clock().date()
    found = product.policy.current(name, today=today)
    return render_template(
        "staff/rule.html",
        type=found,
        is_overdue=found in overdue(product.policy, today),
        rules=rules_of(product.policy, found),
        grants=grants(found),
        narrowed=narrowed(found),
        packages=[product.policy.packages[each] for each in sorted(found.packages)],
        digest=policy_digest(found),
        proved=format_decimal(product.policy.proved, locale=translator().locale),
    )


def _register() -> list[dict[str, Any]]:
    return services().integration_register()
