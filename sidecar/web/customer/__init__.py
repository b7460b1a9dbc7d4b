"""The customer's journey, one file a step: importing a step hangs its routes on the blueprint."""

from sidecar.web.customer.blueprint import customer
from sidecar.web.customer.call import call
from sidecar.web.customer.door import arrive
from sidecar.web.customer.lobby import lobby
from sidecar.web.customer.parts import DEVICE_COOKIE
from sidecar.web.customer.sign_in import identify

STEPS = (arrive, identify, lobby, call)

__all__ = ["DEVICE_COOKIE", "STEPS", "customer"]
