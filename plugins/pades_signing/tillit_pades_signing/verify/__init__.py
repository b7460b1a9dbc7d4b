"""`tillit verify-document FILE`: explains a sealed file part by part, offline, and says what each part rests on.

Exits 0 when everything holds and rests on roots that were named, 1 when something does not hold, 2 when the file
cannot be read or nothing was named to rest on.
"""

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509

from tillit_pades_signing.verify.findings import Finding, Verdict
from tillit_pades_signing.verify.parts import UnreadableFileError, examine

__all__ = ["Finding", "Verdict", "examine", "main"]

_MARK = {Verdict.HOLDS: "holds         ", Verdict.FAILS: "DOES NOT HOLD ", Verdict.OPEN: "not decided   "}
_LARGEST_BYTES = 300 * 1024 * 1024


def main(arguments: Sequence[str]) -> int:
    """Run the command and return its exit status."""
    parser = argparse.ArgumentParser(prog="tillit verify-document", description=__doc__)
    parser.add_argument("file", type=Path, help="the PDF, as it was received")
    parser.add_argument("--roots", type=Path, help="PEM: roots of the bank's seal and of time-stamps one trusts")
    parser.add_argument("--eid-roots", type=Path, help="PEM: roots of the eIDs one trusts")
    options = parser.parse_args(arguments)
    logging.getLogger("pyhanko").setLevel(logging.CRITICAL)  # what it has to say is said below, in plain words
    logging.getLogger("pyhanko_certvalidator").setLevel(logging.CRITICAL)
    try:
        if options.file.stat().st_size > _LARGEST_BYTES:
            raise UnreadableFileError("The file is larger than any this product makes.")
        findings = examine(options.file.read_bytes(), roots=_roots(options.roots), eid_roots=_roots(options.eid_roots))
    except (OSError, ValueError, UnreadableFileError) as error:
        sys.stderr.write(f"The file cannot be verified: {error}\n")
        return 2
    for finding in findings:
        _say(f"{_MARK[finding.verdict]}{finding.part}")
        for sentence in finding.sentences:
            _say(f"              {sentence}")
    return _conclusion(findings)


def _conclusion(findings: Sequence[Finding]) -> int:
    verdicts = {finding.verdict for finding in findings}
    _say("")
    if Verdict.FAILS in verdicts:
        _say("This file does not hold. Do not rely on it; ask the bank for the archived copy.")
        return 1
    if Verdict.OPEN in verdicts:
        _say(
            "Nothing in the file contradicts itself, but some of it rests on nothing you named (--roots, --eid-roots)."
        )
        return 2
    _say("Everything in this file holds, and rests on the roots you named.")
    return 0


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def _roots(path: Path | None) -> list[x509.Certificate]:
    return x509.load_pem_x509_certificates(path.read_bytes()) if path is not None else []
