"""The client's registration, and the settings the product needs to use it."""

from pathlib import Path

from simulators.common.files import keep_ec_key, keep_secret, write_private
from simulators.identity_service.id_tokens import public_jwk
from simulators.identity_service.people import ACR
from simulators.identity_service.provider import Client

CLIENT_ID = "tillit"


def register(folder: Path, redirect_uris: frozenset[str]) -> Client:
    """Return the client whose key and secret lie in `folder`, made at first use."""
    folder.mkdir(parents=True, exist_ok=True)
    key = keep_ec_key(folder / "client-key.pem")
    return Client(CLIENT_ID, redirect_uris, keep_secret(folder / "client-secret"), public_jwk(key))


def write_settings(folder: Path, issuer: str) -> None:
    """Leave settings.toml: the table [plugins.staff_oidc] that fits this provider."""
    lines = [
        "# The bank's identity service, played by simulators.identity_service.",
        "[plugins.staff_oidc]",
        f'issuer = "{issuer}"',
        f'client_id = "{CLIENT_ID}"',
        f'key_file = "{(folder / "client-key.pem").resolve()}"',
        'groups_claim = "groups"',
        'title_claim = "title"',
        'office_claim = "office"',
        "",
        "[plugins.staff_oidc.desk]",
        f'acr_values = ["{ACR}strong", "{ACR}two-factor"]',
        "",
        "[plugins.staff_oidc.call]",
        f'acr_values = ["{ACR}strong"]',
        "",
    ]
    write_private(folder / "settings.toml", "\n".join(lines).encode())
