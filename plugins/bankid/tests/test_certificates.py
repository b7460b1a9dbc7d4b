"""Chains no honest CA would issue, and proofs no honest responder would sign."""

from datetime import datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import NameOID

from sidecar.plugin_api import utc_now
from simulators.bankid.certificates import BankIdTree, Identity, issue, issue_ca, name
from simulators.bankid.persons import DEFAULT_PERSONS
from tillit_bankid.verify import CompletionRefusedError
from tillit_bankid.verify.certificates import check_chain, check_hash, personal_number_of, policies_of

MAJA = DEFAULT_PERSONS[0]
CA = x509.BasicConstraints(ca=True, path_length=None)
PERSON = x509.BasicConstraints(ca=False, path_length=None)


def _usage(**allowed: bool) -> x509.KeyUsage:
    every = (
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
        "encipher_only",
        "decipher_only",
    )
    return x509.KeyUsage(**{one: allowed.get(one, False) for one in every})


SIGN, CERTIFY = _usage(digital_signature=True), _usage(key_cert_sign=True)


@pytest.fixture(scope="module")
def tree() -> BankIdTree:
    return BankIdTree.grow()


@pytest.fixture(scope="module")
def maja(tree: BankIdTree) -> Identity:
    return tree.issue_person(MAJA)


def _check(tree: BankIdTree, *identities: Identity, at: datetime | None = None) -> None:
    check_chain([one.certificate for one in identities], roots=[tree.root.certificate], at=at or utc_now())


def test_honest_chain_holds(tree: BankIdTree, maja: Identity) -> None:
    _check(tree, maja, tree.customer_ca, tree.bank_ca)


@pytest.mark.parametrize(("days", "holds"), [(-2, False), (0, True), (728, True), (731, False)])
def test_chain_holds_only_while_every_certificate_is_valid(
    tree: BankIdTree, maja: Identity, days: int, holds: bool
) -> None:
    at = utc_now() + timedelta(days=days)
    if holds:
        _check(tree, maja, tree.customer_ca, tree.bank_ca, at=at)
    else:
        with pytest.raises(CompletionRefusedError, match="certificate-not-valid"):
            _check(tree, maja, tree.customer_ca, tree.bank_ca, at=at)


def test_order_of_the_chain_matters(tree: BankIdTree, maja: Identity) -> None:
    with pytest.raises(CompletionRefusedError, match="chain"):
        _check(tree, maja, tree.bank_ca, tree.customer_ca)


def test_root_of_the_same_name_is_not_the_root(tree: BankIdTree) -> None:
    other = BankIdTree.grow()

    with pytest.raises(CompletionRefusedError, match="chain"):
        _check(tree, other.issue_person(MAJA), other.customer_ca, other.bank_ca)


UNKNOWN = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4.5.6"), b"\x05\x00")


@pytest.mark.parametrize(
    ("extensions", "reason"),
    [
        ([(PERSON, True), (SIGN, True), (UNKNOWN, True)], "certificate-has-unknown-demand"),
        ([(CA, True), (SIGN, True)], "person-is-an-issuer"),
        ([(PERSON, True), (_usage(key_agreement=True), True)], "key-not-for-signing"),
    ],
)
def test_person_certificate_must_be_made_for_signing(
    tree: BankIdTree, extensions: list[tuple[x509.ExtensionType, bool]], reason: str
) -> None:
    person = issue(name("Maja"), tree.customer_ca, extensions)

    with pytest.raises(CompletionRefusedError, match=reason):
        _check(tree, person, tree.customer_ca, tree.bank_ca)


@pytest.mark.parametrize(
    ("extensions", "reason"),
    [
        ([(PERSON, True), (CERTIFY, True)], "issuer-is-no-issuer"),
        ([(CA, True), (SIGN, True)], "issuer-may-not-certify"),
        ([(CA, True)], "chain"),
        ([(CERTIFY, True)], "chain"),
    ],
)
def test_issuer_must_be_made_for_certifying(
    tree: BankIdTree, extensions: list[tuple[x509.ExtensionType, bool]], reason: str
) -> None:
    """A person with a BankID of their own must not be able to issue one for somebody else."""
    issuer = issue(name("Issuer"), tree.bank_ca, extensions)
    person = issue(name("Maja"), issuer, [(PERSON, True), (SIGN, True)])

    with pytest.raises(CompletionRefusedError, match=reason):
        _check(tree, person, issuer, tree.bank_ca)


def test_issuer_must_not_go_deeper_than_it_may(tree: BankIdTree) -> None:
    lowest = issue_ca("Too deep", tree.customer_ca, path_length=0)
    person = issue(name("Maja"), lowest, [(PERSON, True), (SIGN, True)])

    with pytest.raises(CompletionRefusedError, match="chain-too-long"):
        _check(tree, person, lowest, tree.customer_ca, tree.bank_ca)


@pytest.mark.parametrize("algorithm", [hashes.SHA1(), hashes.MD5(), None])
def test_weak_digest_carries_nothing(algorithm: hashes.HashAlgorithm | None) -> None:
    with pytest.raises(CompletionRefusedError, match="hash-not-accepted"):
        check_hash(algorithm)


def test_certificate_without_policy_is_no_bankid(tree: BankIdTree) -> None:
    with pytest.raises(CompletionRefusedError, match="certificate-without-policy"):
        policies_of(tree.ocsp.certificate)


@pytest.mark.parametrize("numbers", [[], ["199002142389", "196103182371"]])
def test_certificate_must_name_one_person(tree: BankIdTree, numbers: list[str]) -> None:
    subject = name("Maja", *((NameOID.SERIAL_NUMBER, number) for number in numbers))
    person = issue(subject, tree.customer_ca, [(PERSON, True)])

    with pytest.raises(CompletionRefusedError, match="certificate-without-number"):
        personal_number_of(person.certificate)
