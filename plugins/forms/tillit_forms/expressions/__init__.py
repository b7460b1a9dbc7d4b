"""The small language of conditions and sums in a template: read once, checked against the fields, never `eval`.

    rate_type = 'bound' and not amount <= 500000
    amount / property_value > 85 %
    co_borrower is filled and region in ('north', 'south')
    start_date >= 2027-01-01

A value that is missing makes what rests on it undetermined (None), as in Kleene's logic: `no and undetermined`
is no, `yes and undetermined` is undetermined. So a clause is never silently left out for want of an answer.
"""

from tillit_forms.expressions.evaluating import Value, evaluate
from tillit_forms.expressions.fitting import Kind, check
from tillit_forms.expressions.parsing import Expression, ExpressionError, parse

__all__ = ["Expression", "ExpressionError", "Kind", "Value", "check", "evaluate", "parse"]
