"""A bank with two Jitsi shards, in two countries, and what their Prosodies would say."""

import json
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from werkzeug.test import TestResponse

from sidecar.adapters.key_files import KeyRing
from sidecar.domain.control_tokens import mint_control_token
from sidecar.domain.jws import LocalSigningKey, local_signing_key, new_private_key
from sidecar.testing import ORIGIN, Product

SETTINGS = """
[tokens]
algorithm = "RS256"
[conference]
kind = "jitsi"

[[shards]]
id = "se"
region = "eu-north-se"
domiciles = ["SE"]
audience = "shard-se"
url = "http://127.0.0.1:9"
name = "prosody-se"
events_key = "se.pub.pem"

[[shards]]
id = "fi"
region = "eu-central-fi"
domiciles = ["FI", "SE"]
audience = "shard-fi"
url = "http://127.0.0.1:9"
name = "prosody-fi"
events_key = "fi.pub.pem"
"""


@cache
def _join_keys() -> Mapping[str, bytes]:
    """Return the files of one folder of keys: two of RS256 cost a second, and what signs is not what is tested."""
    with tempfile.TemporaryDirectory() as folder:
        KeyRing.open(Path(folder) / "keys", algorithms={"join": "RS256"})
        return {path.name: path.read_bytes() for path in (Path(folder) / "keys").iterdir()}


def lay_join_keys(folder: Path) -> None:
    """Put keys of RS256 where a product over this folder will look for them."""
    (folder / "keys").mkdir(mode=0o700)
    for name, data in _join_keys().items():
        (folder / "keys" / name).touch(mode=0o600)
        (folder / "keys" / name).write_bytes(data)


class TwoShards:
    """product: with a stand-in for both media sides. keys: what each Prosody signs with, by shard.

    change: what stands otherwise in the settings.
    """

    def __init__(self, folder: Path, *, change: tuple[str, str] = ("", ""), **options: Any) -> None:
        lay_join_keys(folder)
        self.keys: dict[str, LocalSigningKey] = {}
        for shard in ("se", "fi"):
            self.keys[shard] = local_signing_key("ES256", new_private_key("ES256"))
            public = self.keys[shard].private_key.public_key()
            (folder / f"{shard}.pub.pem").write_bytes(
                public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
            )
        self.product = Product(folder, more=SETTINGS.replace(*change), **options)

    def prosody_says(
        self, *events: Mapping[str, Any] | str, shard: str = "se", name: str = "", key: LocalSigningKey | None = None
    ) -> TestResponse:
        """Post events as a shard's Prosody does. name, key: another's instead."""
        return self.ask("/internal/bridge/events", {"events": events}, shard=shard, name=name, key=key)

    def ask(
        self, path: str, body: Any, *, shard: str = "se", name: str = "", key: LocalSigningKey | None = None
    ) -> TestResponse:
        data = json.dumps(body).encode()
        token = mint_control_token(
            signing_key=key or self.keys[shard],
            issuer=name or f"prosody-{shard}",
            audience="tillit-web",
            method="POST",
            path=path,
            body=data,
            now=self.product.clock(),
        )
        headers = {"Authorization": f"Bearer {token}"}
        client = self.product.app.test_client()
        return client.post(path, data=data, content_type="application/json", headers=headers, base_url=ORIGIN)
