"""Message text as safe HTML: links one can press, codes one can see."""

import re

from markupsafe import Markup, escape

from simulators.post.messages import CODE, LINK

_EITHER = re.compile(f"(?P<link>{LINK.pattern})|(?P<code>{CODE.pattern})")


def as_html(text: str) -> Markup:
    """Return text with everything escaped, web addresses as links in a new window and codes marked."""
    parts, end = [], 0
    for found in _EITHER.finditer(text):
        parts.append(escape(text[end : found.start()]))
        if found["link"]:
            link = escape(found["link"])
            parts.append(Markup('<a href="{}" target="_blank" rel="noopener noreferrer">{}</a>').format(link, link))
        else:
            parts.append(Markup('<b class="code">{}</b>').format(found["code"]))
        end = found.end()
    parts.append(escape(text[end:]))
    return Markup("").join(parts)
