"""Seals with a key in SoftHSM, in a process of its own: the module reads its settings once. Not a test by itself."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import load_pem_x509_certificate

from tillit_pades_signing.seal.cms import SealMaker
from tillit_pades_signing.seal.keys import Pkcs11Key


def main(module: str, folder: Path, trust: Path) -> None:
    tokens = folder / "tokens"
    tokens.mkdir()
    config = folder / "softhsm2.conf"
    config.write_text(f"directories.tokendir = {tokens}\nobjectstore.backend = file\nlog.level = ERROR\n")
    os.environ["SOFTHSM2_CONF"] = str(config)
    quiet = {"check": True, "stdout": subprocess.DEVNULL, "timeout": 200}
    token = ["--token", "bank", "--pin", "4711"]
    init = ["softhsm2-util", "--init-token", "--free", "--label", "bank", "--pin", "4711", "--so-pin", "0815"]
    subprocess.run(init, **quiet)  # type: ignore[call-overload]
    key = serialization.load_pem_private_key((trust / "seal-key.pem").read_bytes(), password=None)
    pkcs8 = folder / "key.pem"
    pkcs8.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    imported = ["softhsm2-util", "--import", str(pkcs8), *token, "--label", "seal", "--id", "a1"]
    subprocess.run(imported, **quiet)  # type: ignore[call-overload]
    pin = folder / "pin"
    pin.write_text("4711\n")
    held = Pkcs11Key(module=Path(module), token="bank", pin_file=pin, label="seal", certificate_file=trust / "seal.pem")
    maker = SealMaker(held)
    with ThreadPoolExecutor(8) as pool:
        seals = list(pool.map(lambda number: maker.seal(bytes([number]) * 32), range(40)))
    assert len(set(seals)) == 40
    public = load_pem_x509_certificate((trust / "seal.pem").read_bytes()).public_key()
    assert isinstance(public, ec.EllipticCurvePublicKey)
    public.verify(held.sign(b"data"), b"data", ec.ECDSA(hashes.SHA256()))
    print(f"{len(seals)} seals")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
