"""XML between us and Prosody: written escaped, read with bounds, without any of what a stanza may not hold.

Source: RFC 6120 section 11.1 (no comments, no processing instructions, no document types), RFC 7395.
"""

from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

MAX_BYTES = 256 * 1024  # of one stanza; a large conference's offer has some tens of kilobytes
_MAX_DEPTH = 24
_MAX_ELEMENTS = 8000


class XmlError(ValueError):
    """This is no stanza: not well formed, too large, too deep, or with what XMPP forbids."""


class Xml(str):
    """Written XML: everything in it is escaped already."""

    __slots__ = ()


def tag(name: str, xmlns: str = "", /, *inside: str, **attributes: str | int | None) -> Xml:
    """Return one element. inside: Xml stays as it is, other text is escaped. A trailing _ in a name is dropped."""
    said = {"xmlns": xmlns} if xmlns else {}
    said |= {key.rstrip("_").replace("_", "-"): str(value) for key, value in attributes.items() if value is not None}
    head = name + "".join(f" {key}={quoteattr(value)}" for key, value in said.items())
    body = "".join(part if isinstance(part, Xml) else escape(part) for part in inside)
    return Xml(f"<{head}>{body}</{name}>" if body else f"<{head}/>")


class _Reader:
    def __init__(self) -> None:
        self._builder = TreeBuilder()
        self._depth = self._count = 0
        parser = self._parser = expat.ParserCreate(namespace_separator="}")
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._builder.data
        parser.StartDoctypeDeclHandler = self._forbidden
        parser.EntityDeclHandler = self._forbidden
        parser.CommentHandler = self._forbidden
        parser.ProcessingInstructionHandler = self._forbidden

    def read(self, data: bytes) -> Element:
        self._parser.Parse(data, True)
        return self._builder.close()

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        self._count += 1
        if self._depth > _MAX_DEPTH or self._count > _MAX_ELEMENTS:
            raise XmlError("the stanza is too deep or has too many elements")
        self._builder.start(_full(name), {_full(key): value for key, value in attributes.items()})

    def _end(self, name: str) -> None:
        self._depth -= 1
        self._builder.end(_full(name))

    def _forbidden(self, *_: object) -> None:
        raise XmlError("the stanza holds what XMPP forbids")


def _full(name: str) -> str:
    return "{" + name if "}" in name else name


def parse(unverified: str | bytes) -> Element:
    """Return a stanza, names as {namespace}name. Raises XmlError."""
    data = unverified.encode() if isinstance(unverified, str) else unverified
    if len(data) > MAX_BYTES:
        raise XmlError("the stanza is too large")
    try:
        return _Reader().read(data)
    except expat.ExpatError as error:
        raise XmlError("the stanza is not well formed") from error


def local_name(element: Element) -> str:
    """Return an element's name without its namespace."""
    return element.tag.rpartition("}")[2]
