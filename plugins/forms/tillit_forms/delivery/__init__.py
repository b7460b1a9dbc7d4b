"""From a signed form to the systems that need its answers: extracted, signed, sent, tried again, seen when it fails."""

from tillit_forms.delivery.extracting import Extract, extract
from tillit_forms.delivery.sending import Answer, headers, post, sign
from tillit_forms.delivery.timing import pause

__all__ = ["Answer", "Extract", "extract", "headers", "pause", "post", "sign"]
