"""A few lines of DER: enough to fill in a structure that is the same for every seal. Source: X.690."""

SEQUENCE, SET, OCTETS, CONTEXT_0 = 0x30, 0x31, 0x04, 0xA0


def wrap(tag: int, *parts: bytes) -> bytes:
    """Return tag, length and the parts as one value."""
    content = b"".join(parts)
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + content
