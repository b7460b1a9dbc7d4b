"""The provider's pages and endpoints."""

import base64
import hashlib
import hmac
import json
import secrets
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from flask import Flask, g, redirect, render_template, request
from werkzeug.wrappers import Response as BaseResponse

from simulators.common.pages import content_policy, new_app
from simulators.identity_service import id_tokens
from simulators.identity_service.client_auth import ClientGate
from simulators.identity_service.faults import Faults
from simulators.identity_service.people import ACR_VALUES, FACTORS, PEOPLE
from simulators.identity_service.provider import (
    AuthorizationRequest,
    Client,
    Memory,
    NoRedirectError,
    OAuthError,
    SignedIn,
    chosen,
    read_request,
)

SESSION_COOKIE = "identity_service_session"  # cookies do not part ports, so the name must


def create_app(*, issuer: str, client: Client, signer: id_tokens.Signer) -> Flask:
    """Return the provider. issuer: its own origin as the browser and the product see it."""
    app = new_app(Path(__file__).parent)
    memory, faults = Memory(), Faults()
    gate = ClientGate(client, frozenset({issuer, f"{issuer}/token"}))
    access_tokens: dict[str, SignedIn] = {}

    @app.get("/")
    def home() -> str:
        who = memory.find_session(request.cookies.get(SESSION_COOKIE))
        return render_template("home.html", who=who, people=PEOPLE.values())

    @app.post("/sign-out")
    def sign_out() -> BaseResponse:
        memory.drop_session(request.cookies.get(SESSION_COOKIE))
        answer = redirect("/", 303)
        answer.delete_cookie(SESSION_COOKIE)
        return answer

    @app.get("/.well-known/openid-configuration")
    def discovery() -> Any:
        if faults.on("discovery_500"):
            return {"error": "server_error"}, 500
        stated = "https://other.example" if faults.on("discovery_other_issuer") else issuer
        return {
            "issuer": stated,
            "authorization_endpoint": f"{issuer}/authorize",
            "token_endpoint": f"{issuer}/token",
            "userinfo_endpoint": f"{issuer}/userinfo",
            "jwks_uri": f"{issuer}/jwks",
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "grant_types_supported": ["authorization_code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256", "RS256"],
            "token_endpoint_auth_methods_supported": [
                "private_key_jwt",
                "client_secret_basic",
                "client_secret_post",
            ],
            "token_endpoint_auth_signing_alg_values_supported": ["ES256"],
            "code_challenge_methods_supported": ["S256"],
            "scopes_supported": ["openid", "profile"],
            "claims_supported": ["sub", "name", "title", "office", "groups", "acr", "amr", "auth_time"],
            "claims_parameter_supported": True,
            "request_parameter_supported": False,
            "request_uri_parameter_supported": False,
            "acr_values_supported": ACR_VALUES,
            "authorization_response_iss_parameter_supported": True,
        }

    @app.get("/jwks")
    def jwks() -> Any:
        return ({"error": "server_error"}, 500) if faults.on("jwks_500") else signer.jwks()

    @app.get("/authorize")
    def authorize() -> Any:
        asked = read_request(request.args.to_dict(flat=False), client)
        who = memory.find_session(request.cookies.get(SESSION_COOKIE))
        if who is not None and who.satisfies(asked, time.time()):
            return _send_back(asked, code=memory.keep_grant(asked, who))
        if "none" in asked.prompt:
            raise OAuthError("login_required", "nobody is signed in well enough")
        target = urlsplit(asked.redirect_uri)
        g.content_policy = content_policy(form_targets=f"{target.scheme}://{target.netloc}")
        return render_template(
            "authorize.html",
            ticket=memory.keep_request(asked),
            people=PEOPLE.values(),
            factors=FACTORS.values(),
            asked=asked,
            fresh="login" in asked.prompt or asked.max_age == 0,
            query=[(name, value) for name, value in request.args.items() if name != "lang"],
        )

    @app.post("/authorize/decide")
    def decide() -> BaseResponse:
        asked = memory.take_request(request.form.get("ticket", ""))
        g.asked = asked
        action = request.form.get("action")
        if action == "cancel":
            raise OAuthError("access_denied", "the person cancelled")
        if action != "sign_in":
            raise OAuthError("server_error", "made to fail on the page")
        who = chosen(request.form.get("person", ""), request.form.get("factors", ""))
        if asked.acr_essential and not who.reaches(asked):
            raise OAuthError("unmet_authentication_requirements", "the chosen way reaches no asked acr")
        answer = _send_back(asked, code=memory.keep_grant(asked, who))
        if request.form.get("remember"):
            answer.set_cookie(SESSION_COOKIE, memory.keep_session(who), httponly=True, samesite="Lax")
        return answer

    @app.post("/token")
    def token() -> Any:
        gate.check(request.form, request.headers.get("Authorization"))
        if faults.on("token_500"):
            return {"error": "server_error"}, 500
        if any(len(values) > 1 for values in request.form.to_dict(flat=False).values()):
            raise OAuthError("invalid_request", "a parameter came twice")
        if request.form.get("grant_type") != "authorization_code":
            raise OAuthError("unsupported_grant_type", "only authorization_code")
        grant = memory.take_grant(request.form.get("code", ""))
        if request.form.get("redirect_uri") != grant.request.redirect_uri:
            raise OAuthError("invalid_grant", "the redirect_uri is not the one of the request")
        if not _proves(request.form.get("code_verifier", ""), grant.request.code_challenge):
            raise OAuthError("invalid_grant", "the code_verifier does not fit the code_challenge")
        access_token = secrets.token_urlsafe(32)
        access_tokens[access_token] = grant.who
        body = {
            "access_token": access_token,
            "token_type": "Bearer",
            "expires_in": id_tokens.TOKEN_SECONDS,
            "scope": grant.request.scope,
            "id_token": id_tokens.mint(
                issuer=issuer,
                client=client,
                grant=grant,
                access_token=access_token,
                signer=signer,
                faults=faults,
            ),
        }
        if faults.on("token_slow_body"):  # far more than any token answer has reason to be
            body["padding"] = "x" * 2_000_000
        return body

    @app.get("/userinfo")
    def userinfo() -> Any:
        scheme, _, value = request.headers.get("Authorization", "").partition(" ")
        who = access_tokens.get(value) if scheme == "Bearer" else None
        if who is None:
            return {"error": "invalid_token"}, 401, {"WWW-Authenticate": 'Bearer error="invalid_token"'}
        return {"sub": who.person.subject, "name": who.person.name, "groups": list(who.person.groups)}

    @app.get("/control/faults")
    def shown_faults() -> dict[str, list[str]]:
        return {"faults": faults.names()}

    @app.put("/control/faults")
    def set_faults() -> Any:
        try:
            faults.set(json.loads(request.get_data())["faults"])
        except (ValueError, KeyError, TypeError) as error:
            return {"error": "invalid_request", "error_description": str(error)}, 400
        return {"faults": faults.names()}

    @app.post("/control/rotate")
    def rotate() -> dict[str, str]:
        signer.rotate()
        return {"kid": signer.current()[1]}

    def _send_back(asked: AuthorizationRequest, **answer: str) -> BaseResponse:
        if asked.state:
            answer["state"] = "of-another-request" if faults.on("other_state") else asked.state
        if not faults.on("no_response_issuer"):
            answer["iss"] = "https://other.example" if faults.on("wrong_response_issuer") else issuer
        mark = "&" if "?" in asked.redirect_uri else "?"
        return redirect(f"{asked.redirect_uri}{mark}{urlencode(answer)}", 303)

    @app.errorhandler(NoRedirectError)
    def show_error(error: NoRedirectError) -> tuple[str, int]:
        t = app.extensions["texts"]
        page = render_template(
            "problem.html",
            title=t("refused.title"),
            body=t("refused.body"),
            code=f"{error.code}: {error.description}",
        )
        return page, 400

    @app.errorhandler(OAuthError)
    def send_error(error: OAuthError) -> Any:
        named = {"error": error.code, "error_description": error.description}
        if request.path == "/token":
            headers = {"WWW-Authenticate": 'Basic realm="token"'} if error.code == "invalid_client" else {}
            return named, 401 if error.code == "invalid_client" else 400, headers
        asked = g.get("asked")
        if asked is None:  # a request too wrong to keep, but from a registered client: read_request saw to that
            uri, state = request.args["redirect_uri"], request.args.get("state", "")
            asked = AuthorizationRequest(
                client.client_id, uri, state, "", "", "", frozenset(), None, (), acr_essential=False
            )
        return _send_back(asked, **named)

    return app


def _proves(verifier: str, challenge: str) -> bool:
    """Return whether a PKCE verifier fits its S256 challenge. RFC 7636 section 4.6."""
    digest = hashlib.sha256(verifier.encode("utf-8", "replace")).digest()
    made = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    return 43 <= len(verifier) <= 128 and hmac.compare_digest(made, challenge)
