"""Every forged join token is put to the Lua verifier and to the Python one: no two verdicts may differ."""

import json
import runpy
import subprocess
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sidecar.domain.ids import RoomName
from sidecar.domain.jws import Algorithm, JwkSet, TokenRefusedError, local_signing_key, new_private_key
from sidecar.domain.tokens import mint_join_token, verify_join_token
from sidecar.testing.tokens import join_claims

HERE = Path(__file__).parent
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
forged_join_tokens = runpy.run_path(str(HERE.parent / "data" / "forged_tokens.py"))["forged_join_tokens"]

CLAIMS = join_claims(session_until=NOON + timedelta(hours=1))


def verdict_of_python(
    token: str,
    *,
    jwks: JwkSet,
    algorithm: Algorithm,
    now: datetime,
    audience: str = "shard-se",
    room: str = "r7hq2m",
) -> str:
    try:
        verify_join_token(
            token,
            jwks=jwks,
            algorithm=algorithm,
            expected_issuer="tillit",
            expected_audience=audience,
            expected_room=room,
            now=now,
        )
    except TokenRefusedError as refused:
        return refused.slug
    return "ok"


def verdicts_of_lua(
    tokens: Iterable[tuple[str, datetime]],
    *,
    jwks: JwkSet,
    algorithm: Algorithm,
    folder: Path,
    audience: str = "shard-se",
    room: str = "r7hq2m",
) -> list[str]:
    key_file = folder / "jwks.json"
    key_file.write_text(json.dumps(jwks.document()))
    lines = [
        f"tillit {audience} {room} {algorithm} {int(now.timestamp())} {token.encode().hex()}\n" for token, now in tokens
    ]
    ran = subprocess.run(
        ["lua5.4", HERE / "verify_tokens.lua", HERE, key_file],
        input="".join(lines),
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.splitlines()


@pytest.mark.requirement("R204")
@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
def test_both_verifiers_say_the_same_of_every_forgery(algorithm: Algorithm, tmp_path: Path) -> None:
    """A token one side takes and the other refuses would be a door that only one of them guards."""
    key = local_signing_key(algorithm, new_private_key(algorithm))
    stranger = local_signing_key(algorithm, new_private_key(algorithm))
    jwks = JwkSet([key.public_jwk()])
    honest = mint_join_token(CLAIMS, signing_key=key, now=NOON, ttl=timedelta(seconds=60))
    corpus = [("honest", honest)]
    corpus += [(f.name, f.token) for f in forged_join_tokens(honest, signing_key=key, stranger_key=stranger)]
    names = "Åsa Ø Þórr", "Ю" * 200, "😀" * 200, "😀" * 201, "del\x7f", "c1\x85", "zero\u200bwidth", "\u200emark"
    for name in names:
        renamed = replace(CLAIMS, name=name)
        try:
            token = mint_join_token(renamed, signing_key=key, now=NOON, ttl=timedelta(seconds=60))
        except Exception:
            continue
        corpus.append((f"named {name[:9]!r}", token))

    python = [verdict_of_python(token, jwks=jwks, algorithm=algorithm, now=NOON) for _, token in corpus]
    lua = verdicts_of_lua([(token, NOON) for _, token in corpus], jwks=jwks, algorithm=algorithm, folder=tmp_path)

    differing = [(name, p, lu) for (name, _), p, lu in zip(corpus, python, lua, strict=True) if p != lu]
    assert differing == []
    assert python[0] == "ok"
    assert sum(verdict != "ok" for verdict in python) > 200


@pytest.mark.parametrize("seconds", [-31, -30, -29, 0, 59, 89, 90, 91, 3599])
def test_both_verifiers_draw_the_same_line_in_time(seconds: int, tmp_path: Path) -> None:
    key = local_signing_key("RS256", new_private_key("RS256"))
    jwks = JwkSet([key.public_jwk()])
    honest = mint_join_token(CLAIMS, signing_key=key, now=NOON, ttl=timedelta(seconds=60))
    at = NOON + timedelta(seconds=seconds)

    lua = verdicts_of_lua([(honest, at)], jwks=jwks, algorithm="RS256", folder=tmp_path)

    assert lua == [verdict_of_python(honest, jwks=jwks, algorithm="RS256", now=at)]


AUDIENCES = [
    "shard-se", "shard-fi", "shard-se-2", "Shard-SE", "shard_se", "shard-s", "shard-see", "shard.se", "*", "shard-%w+",
    "se", "tillit-prosody", "shard\u2011se", "shard-se\u200b", "s" * 255,
]  # fmt: skip


@pytest.mark.requirement("R204", "R207")
@pytest.mark.parametrize("shard", ["shard-se", "shard-fi", "shard-se-2"])
def test_each_shard_takes_its_own_tokens_and_no_other_in_both_verifiers(shard: str, tmp_path: Path) -> None:
    """All shards know the same keys, so the audience alone holds a meeting in its jurisdiction."""
    key = local_signing_key("RS256", new_private_key("RS256"))
    jwks = JwkSet([key.public_jwk()])
    rooms = ["se-0123456789abcdef0123456789abcdef", "fi-0123456789abcdef0123456789abcdef"]
    corpus = [
        (audience, room, mint_join_token(claims, signing_key=key, now=NOON, ttl=timedelta(seconds=60)))
        for audience in AUDIENCES
        for room in rooms
        for claims in [replace(CLAIMS, audience=audience, room=RoomName(room))]
    ]
    tokens = [token for *_, token in corpus]
    asked: dict[str, Any] = {"jwks": jwks, "algorithm": "RS256", "audience": shard, "room": rooms[0]}

    python = [verdict_of_python(token, now=NOON, **asked) for token in tokens]
    lua = verdicts_of_lua([(token, NOON) for token in tokens], folder=tmp_path, **asked)

    assert lua == python
    for (audience, room, _), verdict in zip(corpus, python, strict=True):
        wanted = "ok" if room == rooms[0] else "token-wrong-room"
        assert verdict == (wanted if audience == shard else "token-wrong-audience")
