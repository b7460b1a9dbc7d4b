"""What the app signs: the real format, built by hand.

The document is written in canonical form from the start, as text, so that its digests need no XML library:
the verifier under test and this maker share no code.
"""

import base64
import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from simulators.bankid.certificates import BankIdTree, Identity
from simulators.bankid.persons import Person
from simulators.bankid.status import make_status

_DS = "http://www.w3.org/2000/09/xmldsig#"
_BID = "http://www.bankid.com/signature/v1.0.0/types"
_C14N = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
_RSA = {
    "sha256": "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
    "sha1": "http://www.w3.org/2000/09/xmldsig#rsa-sha1",
}
_DIGEST = {
    "sha256": "http://www.w3.org/2001/04/xmlenc#sha256",
    "sha1": "http://www.w3.org/2000/09/xmldsig#sha1",
}
_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="no"?>'


@dataclass(frozen=True)
class Content:
    """What is signed. visible, hidden: base64 as the relying party sent it; hidden may be absent.

    func_id: "Identification" or "Signing". relying_party: distinguished name and display name.
    """

    visible: str
    hidden: str | None
    func_id: str
    relying_party: tuple[str, str]
    device_uhi: str


class Signer:
    """Makes completions, and forged ones on demand (a name of faults.FORGERIES)."""

    def __init__(self, tree: BankIdTree, people: dict[str, Identity], *, make_tree: Callable[[], BankIdTree]) -> None:
        self._tree = tree
        self._people = people
        self._make_tree = make_tree

    def sign(self, person: Person, content: Content, *, at: float, other: Person, forge: str | None) -> tuple[str, str]:
        """Return signature and ocspResponse, both base64. at: seconds since 1970. other: the forger."""
        tree, identity = self._holder(person, other, forge)
        document = _document(identity, tree, _forged_content(content, forge), forge)
        signature = base64.b64encode(document.encode()).decode()
        if forge == "not-base64":
            signature = f"*{signature}"
        status = make_status(identity, tree, signature, at=datetime.fromtimestamp(at, UTC), forge=forge)
        return signature, base64.b64encode(status).decode()

    def _holder(self, person: Person, other: Person, forge: str | None) -> tuple[BankIdTree, Identity]:
        tree = self._tree
        if forge == "wrong-root":
            tree = self._make_tree()
            return tree, tree.issue_person(person)
        if forge == "wrong-policy":
            return tree, tree.issue_person(person, policy="1.2.3.4.99")
        if forge == "expired-certificate":
            return tree, tree.issue_person(person, valid_since=timedelta(days=30), valid_for=timedelta(days=29))
        if forge == "weak-key":
            return tree, tree.issue_person(person, key_bits=1024)
        if forge == "other-person":
            return tree, self._people[other.key]
        return tree, self._people[person.key]


def _forged_content(content: Content, forge: str | None) -> Content:
    visible, hidden, func_id = content.visible, content.hidden, content.func_id
    if forge == "other-visible":
        visible = base64.b64encode("Jag godkänner något annat.".encode()).decode()
    elif forge == "other-hidden":
        hidden = base64.b64encode(b"another order").decode()
    elif forge == "no-hidden":
        hidden = None
    elif forge == "signing-instead":
        func_id = "Signing"
    return Content(visible, hidden, func_id, content.relying_party, content.device_uhi)


def _document(identity: Identity, tree: BankIdTree, content: Content, forge: str | None) -> str:
    algorithm = "sha1" if forge == "sha1" else "sha256"
    data, key_info = _signed_data(content), _key_info(identity, tree, forge)
    references = [_reference(data, "bidSignedData", f' Type="{_BID}"', algorithm)]
    if forge != "one-reference":
        references.append(_reference(key_info, "bidKeyInfo", "", algorithm))
    signed_info = (
        f'<SignedInfo xmlns="{_DS}"><CanonicalizationMethod Algorithm="{_C14N}"></CanonicalizationMethod>'
        f'<SignatureMethod Algorithm="{_RSA[algorithm]}"></SignatureMethod>{"".join(references)}</SignedInfo>'
    )
    digest = hashes.SHA1() if algorithm == "sha1" else hashes.SHA256()
    value = identity.key.sign(signed_info.encode(), padding.PKCS1v15(), digest)
    if forge == "bad-signature":
        value = value[:-1] + bytes([value[-1] ^ 1])
    document = (
        f'{_HEAD}<Signature xmlns="{_DS}">{signed_info}<SignatureValue>{_b64(value)}</SignatureValue>'
        f"{key_info}<Object>{data}</Object></Signature>"
    )
    return _tampered(document, data, content, forge)


def _tampered(document: str, data: str, content: Content, forge: str | None) -> str:
    """Change a document after it was signed, in the ways attackers of XML signatures know."""
    fake = base64.b64encode(b"Jag betalar 900 000 kr.").decode()
    if forge == "tampered-visible":
        return document.replace(content.visible, fake)
    if forge == "wrapped":
        # The signed element moves aside, where its digest still holds; a reader by position finds the fake.
        other = data.replace(content.visible, fake).replace('Id="bidSignedData"', 'Id="elsewhere"')
        return document.replace(f"<Object>{data}</Object>", f"<Object>{other}</Object><Object>{data}</Object>")
    if forge == "doctype":
        return document.replace(_HEAD, f'{_HEAD}<!DOCTYPE Signature [<!ENTITY a "b">]>')
    if forge == "comment":
        half = len(content.visible) // 2
        return document.replace(content.visible, f"{content.visible[:half]}<!-- -->{content.visible[half:]}")
    return document


def _signed_data(content: Content) -> str:
    hidden = f"<usrNonVisibleData>{content.hidden}</usrNonVisibleData>" if content.hidden else ""
    distinguished_name, display_name = (_b64(part.encode()) for part in content.relying_party)
    return (
        f'<bankIdSignedData xmlns="{_BID}" Id="bidSignedData">'
        f'<usrVisibleData charset="UTF-8" visible="wysiwys">{content.visible}</usrVisibleData>{hidden}'
        f"<srvInfo><name>{distinguished_name}</name><nonce>{_b64(os.urandom(20))}</nonce>"
        f"<displayName>{display_name}</displayName></srvInfo>"
        f"<clientInfo><funcId>{content.func_id}</funcId><version>Ny4zNC4w</version><env><ai>"
        f"<type>U0lNVUxBVE9S</type><deviceInfo>MTg=</deviceInfo><uhi>{content.device_uhi}</uhi>"
        f"<fsib>0</fsib><utb>cs1</utb><requirement><condition><type>CertificatePolicies</type>"
        f"<value>1.2.3.4.25</value></condition></requirement><uauth>pw</uauth></ai></env></clientInfo>"
        f"</bankIdSignedData>"
    )


def _key_info(identity: Identity, tree: BankIdTree, forge: str | None) -> str:
    chain = [identity, tree.customer_ca, tree.bank_ca]
    if forge == "short-chain":
        chain.pop()
    certificates = "".join(f"<X509Certificate>{_b64(one.der)}</X509Certificate>" for one in chain)
    return f'<KeyInfo xmlns="{_DS}" Id="bidKeyInfo"><X509Data>{certificates}</X509Data></KeyInfo>'


def _reference(covered: str, identifier: str, attribute: str, algorithm: str) -> str:
    digest = hashlib.new(algorithm, covered.encode()).digest()
    return (
        f'<Reference{attribute} URI="#{identifier}"><Transforms><Transform Algorithm="{_C14N}"></Transform>'
        f'</Transforms><DigestMethod Algorithm="{_DIGEST[algorithm]}"></DigestMethod>'
        f"<DigestValue>{_b64(digest)}</DigestValue></Reference>"
    )


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()
