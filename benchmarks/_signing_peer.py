"""The peer of the token bench: a bare Flask route that signs the same claims with the same key, and nothing else.

Served by gunicorn as `benchmarks._signing_peer:app`. BENCH_KEYS names the key folder, BENCH_CLAIMS a JSON file
with the payload of a token that our own door minted.
"""

import json
import os
import secrets
import time
from pathlib import Path

from flask import Flask, Response, jsonify

from sidecar.adapters.key_files import KeyRing
from sidecar.domain.jws import sign_compact

app = Flask(__name__)
_key = KeyRing.open(Path(os.environ["BENCH_KEYS"])).signing_key("join")
_claims = json.loads(Path(os.environ["BENCH_CLAIMS"]).read_text())


@app.post("/v/<pid>/room/token")
def token(pid: str) -> Response:
    now = int(time.time())
    payload = _claims | {"iat": now, "nbf": now, "exp": now + 90, "jti": secrets.token_urlsafe(16)}
    return jsonify(token=sign_compact(header_type="JWT", payload=payload, signing_key=_key))
