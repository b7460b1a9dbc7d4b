"""The Relying Party API v6.0 as its clients see it, errors included."""

import json
from typing import Any

from flask import Flask, Response, request

from simulators.bankid.certificates import CertificateStore
from simulators.bankid.faults import ERRORS, Faults
from simulators.bankid.orders import AlreadyInProgressError, NoSuchOrderError, Order, Orders
from simulators.bankid.servers import PEER_CERTIFICATE
from simulators.bankid.validation import ENDPOINTS, InvalidParametersError, validate

_LARGEST_REQUEST_BYTES = 2 * 1024 * 1024
_ALL_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


def create_rp_api(orders: Orders, faults: Faults, certificates: CertificateStore) -> Flask:
    app = Flask(__name__, static_folder=None)

    @app.route("/", defaults={"path": ""}, methods=_ALL_METHODS)
    @app.route("/<path:path>", methods=_ALL_METHODS)
    def answer(path: str) -> Response:
        endpoint = path.removeprefix("rp/v6.0/") if path.startswith("rp/v6.0/") else ""
        faults.count(endpoint or "unknown")
        faults.hold()
        party = certificates.find_relying_party(request.environ[PEER_CERTIFICATE])
        if party is None:
            return _error(401, "unauthorized", "this certificate is not registered")
        fault = faults.take_error(endpoint)
        if fault is not None:
            return _fault(fault, faults.settings.reset_seconds)
        if endpoint not in ENDPOINTS:
            return _error(404, "notFound", "no such address")
        if request.method != "POST":
            return Response(status=405, headers={"Allow": "POST"})
        if request.headers.get("Content-Type") != "application/json":
            return _error(415, "unsupportedMediaType", "the media type is application/json and nothing more")
        try:
            body = _body()
            validate(endpoint, body)
            if endpoint == "collect":
                return _json(200, orders.collect(body["orderRef"], party))
            if endpoint == "cancel":
                orders.cancel(body["orderRef"], party)
                return _json(200, {})
            return _json(200, _opened(orders.create(endpoint, body, party)))
        except NoSuchOrderError:
            return _error(400, "invalidParameters", "No such order")
        except AlreadyInProgressError:
            return _error(400, "alreadyInProgress", "Order already in progress for this person")
        except InvalidParametersError as error:
            return _error(400, "invalidParameters", str(error))

    return app


def _body() -> dict[str, Any]:
    if (request.content_length or 0) > _LARGEST_REQUEST_BYTES:
        raise InvalidParametersError("the request is too large")
    try:
        body = json.loads(request.get_data())
    except ValueError as error:
        raise InvalidParametersError("the request is not JSON") from error
    if not isinstance(body, dict):
        raise InvalidParametersError("the request is not a JSON object")
    return body


def _opened(order: Order) -> dict[str, str]:
    if order.by_phone:
        return {"orderRef": order.order_ref}
    return {
        "orderRef": order.order_ref,
        "autoStartToken": order.auto_start_token,
        "qrStartToken": order.qr_start_token,
        "qrStartSecret": order.qr_start_secret,
    }


def _fault(name: str, reset_seconds: int) -> Response:
    status, code, text = ERRORS[name]
    if code is None:
        headers = {"Location": "/elsewhere"} if status == 302 else None
        return Response(text, status=status, content_type="text/html", headers=headers)
    response = _error(status, code, "as switched on at the phone")
    if status == 429:
        response.headers["RateLimit-Limit"] = "100"
        response.headers["RateLimit-Remaining"] = "0"
        response.headers["RateLimit-Reset"] = str(reset_seconds)
    return response


def _error(status: int, code: str, details: str) -> Response:
    return _json(status, {"errorCode": code, "details": details})


def _json(status: int, body: dict[str, Any]) -> Response:
    return Response(json.dumps(body), status=status, content_type="application/json")
