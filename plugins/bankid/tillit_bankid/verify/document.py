"""The signed XML document: read by its exact form, so that nothing can hide beside what was signed.

Source: W3C XML Signature Syntax and Processing 1.1, Canonical XML 1.0; the form is the one BankID sends.
"""

import base64
import hashlib
import hmac
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from lxml import etree

from tillit_bankid.verify.refusal import refuse, refusing, require

DS = "http://www.w3.org/2000/09/xmldsig#"
BID = "http://www.bankid.com/signature/v1.0.0/types"
C14N = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
RSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
SHA256_DIGEST = "http://www.w3.org/2001/04/xmlenc#sha256"

_LARGEST_DOCUMENT_BYTES = 2 * 1024 * 1024
_SMALLEST_KEY_BITS = 2048
_DATA_ID, _KEY_ID = "bidSignedData", "bidKeyInfo"
_REFERENCE_PARTS = [f"{{{DS}}}{name}" for name in ("Transforms", "DigestMethod", "DigestValue")]


@dataclass(frozen=True)
class SignedDocument:
    """A document whose digests hold. Its signature holds after check_signature, and not before.

    certificates: the person's, the customer CA's, the bank CA's. visible, non_visible: bytes as signed.
    """

    certificates: tuple[x509.Certificate, x509.Certificate, x509.Certificate]
    func_id: str
    visible: bytes = field(repr=False)
    non_visible: bytes | None = field(repr=False)
    signed_info: bytes = field(repr=False)
    signature: bytes = field(repr=False)

    def check_signature(self) -> None:
        """Raise CompletionRefusedError unless the person's key signed this document."""
        with refusing("signature-invalid"):
            public_key = self.certificates[0].public_key()
            if not isinstance(public_key, RSAPublicKey) or public_key.key_size < _SMALLEST_KEY_BITS:
                refuse("key-not-accepted")
            public_key.verify(self.signature, self.signed_info, PKCS1v15(), SHA256())


def read_document(xml: bytes) -> SignedDocument:
    """Return the document, read from what its digests cover. Raises CompletionRefusedError."""
    root = _parse(xml)
    signed_info, value, key_info, holder = _children(
        root, f"{{{DS}}}Signature", ("SignedInfo", "SignatureValue", "KeyInfo", "Object")
    )
    (data,) = _children(holder, f"{{{DS}}}Object", ("bankIdSignedData",), namespace=BID)
    _check_ids(root, key_info=key_info, data=data)
    canonical = {_DATA_ID: _canonical(data), _KEY_ID: _canonical(key_info)}
    _check_signed_info(signed_info, canonical)
    # From here on, only what was canonicalised and digested is read.
    return _read_verified(
        data=_reparse(canonical[_DATA_ID]),
        key_info=_reparse(canonical[_KEY_ID]),
        signed_info=_canonical(signed_info),
        signature=_bytes_of(value, spaces=True),
    )


def _parser() -> etree.XMLParser:
    return etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)


def _parse(xml: bytes) -> etree._Element:
    require(len(xml) <= _LARGEST_DOCUMENT_BYTES, "document-too-large")
    # No document type, no CDATA, no comment: BankID puts nothing in them, and each has been a hole somewhere.
    # Another encoding would carry one past this check.
    require(xml.startswith(b"<") and b"<!" not in xml and b"\0" not in xml, "document-has-markup")
    with refusing("document-unreadable"):
        root = etree.fromstring(xml, _parser())
    require(root.getroottree().docinfo.encoding in (None, "UTF-8", "utf-8"), "document-not-utf-8")
    require(root.getprevious() is None and root.getnext() is None, "document-has-markup")
    for node in root.iter():
        if not isinstance(node.tag, str):
            refuse("document-has-markup")
        _check_namespaces(node)
    return root


def _reparse(canonical: bytes) -> etree._Element:
    with refusing("document-unreadable"):
        return etree.fromstring(canonical, _parser())


def _check_namespaces(element: etree._Element) -> None:
    """One default namespace each, and no prefixes: then Canonical XML inherits nothing from further up."""
    name = etree.QName(element)
    require(name.namespace in (DS, BID), "namespace")
    require(element.nsmap == {None: name.namespace}, "namespace")
    require(not any(key.startswith("{") for key in map(str, element.attrib)), "namespace")
    require(element.tail is None, "text-between-elements")
    require(element.text is None or len(element) == 0, "text-between-elements")


def _children(
    element: etree._Element, tag: str, names: tuple[str, ...], *, namespace: str = DS, allowed: str = ""
) -> list[etree._Element]:
    """Return the children, which must be exactly these. allowed: the attribute the element must have."""
    require(element.tag == tag, "structure")
    require(list(element.attrib) == ([allowed] if allowed else []), "structure")
    children = list(element)
    require([child.tag for child in children] == [f"{{{namespace}}}{name}" for name in names], "structure")
    return children


def _check_ids(root: etree._Element, *, key_info: etree._Element, data: etree._Element) -> None:
    require(_attributes(key_info) == {"Id": _KEY_ID} and _attributes(data) == {"Id": _DATA_ID}, "ids")
    bearers = [node for node in root.iter() if any(str(key).casefold() == "id" for key in node.attrib)]
    require(bearers == [key_info, data], "ids")


def _canonical(element: etree._Element) -> bytes:
    """Return the element in Canonical XML 1.0, inclusive, without comments.

    The element is parsed anew first: lxml's inclusive C14N of a part of a tree writes xmlns="" where the
    standard has nothing.
    """
    alone = etree.fromstring(etree.tostring(element, with_tail=False), _parser())
    return etree.tostring(alone, method="c14n", exclusive=False, with_comments=False)


def _check_signed_info(signed_info: etree._Element, canonical: dict[str, bytes]) -> None:
    method, algorithm, *references = _children(
        signed_info,
        f"{{{DS}}}SignedInfo",
        ("CanonicalizationMethod", "SignatureMethod", "Reference", "Reference"),
    )
    _check_algorithm(method, C14N)
    _check_algorithm(algorithm, RSA_SHA256)
    uris = []
    for reference in references:
        uris.append(_check_reference(reference, canonical))
    require(sorted(uris) == sorted(canonical), "references")


def _check_reference(reference: etree._Element, canonical: dict[str, bytes]) -> str:
    """Return the Id a reference covers, after its digest was found right."""
    require(set(reference.attrib) <= {"URI", "Type"}, "structure")
    require([child.tag for child in reference] == _REFERENCE_PARTS, "structure")
    transforms, digest_method, digest_value = reference
    (transform,) = _children(transforms, f"{{{DS}}}Transforms", ("Transform",))
    _check_algorithm(transform, C14N)
    _check_algorithm(digest_method, SHA256_DIGEST)
    covered = (reference.get("URI") or "").removeprefix("#")
    require(reference.get("URI") == f"#{covered}" and covered in canonical, "references")
    require(reference.get("Type") in ((BID,) if covered == _DATA_ID else (None,)), "references")
    digest = hashlib.sha256(canonical[covered]).digest()
    require(hmac.compare_digest(_bytes_of(digest_value, spaces=True), digest), "digest")
    return covered


def _check_algorithm(element: etree._Element, algorithm: str) -> None:
    require(_attributes(element) == {"Algorithm": algorithm}, "algorithm")
    require(len(element) == 0 and not element.text, "structure")


def _read_verified(
    *, data: etree._Element, key_info: etree._Element, signed_info: bytes, signature: bytes
) -> SignedDocument:
    (holder,) = _children(key_info, f"{{{DS}}}KeyInfo", ("X509Data",), allowed="Id")
    elements = _children(holder, f"{{{DS}}}X509Data", ("X509Certificate",) * 3)
    with refusing("certificate-unreadable"):
        user, customer_ca, bank_ca = (
            x509.load_der_x509_certificate(_bytes_of(element, spaces=True)) for element in elements
        )
    visible, client = _only(data, "usrVisibleData"), _only(data, "clientInfo")
    require(_attributes(visible) == {"charset": "UTF-8", "visible": "wysiwys"}, "structure")
    hidden = data.findall(f"{{{BID}}}usrNonVisibleData")
    require(len(hidden) <= 1, "structure")
    return SignedDocument(
        certificates=(user, customer_ca, bank_ca),
        func_id=_only(client, "funcId").text or "",
        visible=_bytes_of(visible),
        non_visible=_bytes_of(hidden[0]) if hidden else None,
        signed_info=signed_info,
        signature=signature,
    )


def _attributes(element: etree._Element) -> dict[str, str]:
    return {str(key): str(value) for key, value in element.attrib.items()}


def _only(parent: etree._Element, name: str) -> etree._Element:
    found = parent.findall(f"{{{BID}}}{name}")
    require(len(found) == 1, "structure")
    return found[0]


def _bytes_of(element: etree._Element, *, spaces: bool = False) -> bytes:
    """Return the bytes an element holds as base64. spaces: lines may be broken, as signers do."""
    require(len(element) == 0, "structure")
    text = element.text or ""
    if spaces:
        text = "".join(text.split())
    with refusing("not-base64"):
        return base64.b64decode(text.encode("ascii"), validate=True)
