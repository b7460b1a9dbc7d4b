"""The demo phone: a page a person can hold, and the same acts as JSON for tests."""

from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

from flask import Flask, Response, g, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from simulators.bankid.faults import ERRORS, FORGERIES, RISKS, Faults
from simulators.bankid.orders import Order, Orders, PhoneError
from simulators.bankid.persons import Person
from simulators.bankid.words import ENDINGS, LANGUAGES, words_for

_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
SLOW_SECONDS = 20.0


def create_phone(orders: Orders, faults: Faults, persons: Sequence[Person]) -> Flask:
    app = Flask(__name__)
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True

    @app.get("/healthz")
    def healthz() -> ResponseReturnValue:
        return jsonify(ok=True)

    @app.before_request
    def only_from_here() -> ResponseReturnValue | None:
        """Another site's page may not press the phone's buttons."""
        origin = request.headers.get("Origin")
        if request.method == "POST" and origin is not None and urlsplit(origin).netloc != request.host:
            return jsonify(error="other-origin"), 403
        wanted = request.cookies.get("lang") or request.accept_languages.best_match(LANGUAGES)
        g.language = wanted if wanted in LANGUAGES else "sv"
        return None

    @app.after_request
    def headers(response: Response) -> Response:
        response.headers["Content-Security-Policy"] = _POLICY
        response.headers["X-Content-Type-Options"] = "nosniff"
        # Not "no-referrer": with that, browsers send "Origin: null" with our own forms too.
        response.headers["Referrer-Policy"] = "same-origin"
        response.headers["Cache-Control"] = "no-store"
        return response

    @app.errorhandler(PhoneError)
    def phone_error(error: PhoneError) -> ResponseReturnValue:
        if request.path.startswith("/phone/"):
            return jsonify(error=str(error)), 404 if str(error).startswith("no-such") else 409
        return _home(orders, faults, persons, problem=str(error)), 409

    _add_pages(app, orders, faults, persons)
    _add_buttons(app, orders, faults)
    _add_controls(app, orders, faults)
    return app


# Pages


def _add_pages(app: Flask, orders: Orders, faults: Faults, persons: Sequence[Person]) -> None:
    @app.get("/")
    def home() -> ResponseReturnValue:
        token = request.args.get("autostarttoken")
        if token is None:
            return _home(orders, faults, persons)
        # The link that opens the app on the same device leads here.
        order = orders.open(token, _holder(persons).key)
        return redirect(url_for("show", number=order.number), 303)

    @app.get("/order/<number>")
    def show(number: str) -> ResponseReturnValue:
        order, holder = orders.get(number), _holder(persons)
        if order.status == "pending" and order.hint == "started":
            order = orders.read(number, holder.key)
        return _page("order.html", orders, persons, order=order, endings=ENDINGS, back=_way_back(order))

    @app.get("/language/<language>")
    def language(language: str) -> ResponseReturnValue:
        response = redirect(url_for("home"), 303)
        if language in LANGUAGES:
            response.set_cookie("lang", language, samesite="Lax", httponly=True)
        return response

    @app.get("/version")
    def version() -> ResponseReturnValue:
        """What the page compares to know whether to draw itself anew."""
        return jsonify(version=_version(orders))


def _home(orders: Orders, faults: Faults, persons: Sequence[Person], problem: str | None = None) -> str:
    return _page(
        "home.html",
        orders,
        persons,
        nearby=[order for order in orders.all() if order.status == "pending"],
        problem=problem,
        settings=faults.settings,
        errors=ERRORS,
        risks=RISKS,
        forgeries=FORGERIES,
    )


def _page(template: str, orders: Orders, persons: Sequence[Person], **values: Any) -> str:
    return render_template(
        template,
        t=words_for(g.language),
        lang=g.language,
        persons=persons,
        holder=_holder(persons),
        version=_version(orders),
        **values,
    )


def _holder(persons: Sequence[Person]) -> Person:
    """Return who holds the phone in this browser."""
    key = request.cookies.get("holder")
    return next((person for person in persons if person.key == key), persons[0])


def _version(orders: Orders) -> str:
    return ".".join(f"{order.number}{order.status[0]}{order.hint}" for order in orders.all()[:20])


def _way_back(order: Order) -> str | None:
    """Return where the app sends the person when done, if that is a place in a browser."""
    if order.status != "complete" or not order.same_device or order.return_url is None:
        return None
    return order.return_url if urlsplit(order.return_url).scheme in ("http", "https") else None


# Buttons: forms of the page


def _add_buttons(app: Flask, orders: Orders, faults: Faults) -> None:
    def holder_key() -> str:
        return request.form.get("holder", "")

    def to_order(order: Order) -> ResponseReturnValue:
        return redirect(url_for("show", number=order.number), 303)

    @app.post("/hold")
    def hold() -> ResponseReturnValue:
        response = redirect(url_for("home"), 303)
        response.set_cookie("holder", holder_key(), samesite="Lax", httponly=True)
        return response

    @app.post("/scan")
    def scan() -> ResponseReturnValue:
        return to_order(orders.scan(request.form.get("qr", ""), holder_key()))

    @app.post("/pick")
    def pick() -> ResponseReturnValue:
        return to_order(orders.pick(request.form.get("order", ""), holder_key()))

    @app.post("/order/<number>/<act>")
    def press(number: str, act: str) -> ResponseReturnValue:
        if act == "identify":
            orders.approve(number, holder_key(), pin=request.form.get("pin", ""))
        elif act == "slow":
            orders.approve(number, holder_key(), pin=None, after_seconds=SLOW_SECONDS)
        elif act == "in-call":
            orders.answer_call(number, in_call=True)
        elif act == "not-in-call":
            orders.answer_call(number, in_call=False)
        elif act == "fail":
            orders.refuse(number, request.form.get("hint", "unknown"))
        else:
            orders.refuse(number)
        return to_order(orders.get(number))

    @app.post("/faults")
    def switch() -> ResponseReturnValue:
        faults.reset()
        form = request.form
        faults.change({key: form.get(key) or None for key in ("error", "risk", "forge")})
        faults.change({"old_app": "old_app" in form, "delay_seconds": 15.0 if "slow" in form else 0.0})
        return redirect(url_for("home"), 303)


# Controls: the same as JSON


def _add_controls(app: Flask, orders: Orders, faults: Faults) -> None:
    @app.get("/phone/orders")
    def list_orders() -> ResponseReturnValue:
        """For demonstrations and tests: `qr` is what the code on the screen says just now."""
        now = faults.now()
        return jsonify(orders=[_described(order, now) for order in orders.all()])

    @app.get("/phone/calls")
    def calls() -> ResponseReturnValue:
        return jsonify(faults.calls)

    acts: dict[str, Callable[[dict[str, Any]], Order]] = {
        "scan": lambda body: orders.scan(str(body["qr"]), body.get("person")),
        "open": lambda body: orders.open(str(body["autoStartToken"]), body.get("person")),
        "pick": lambda body: orders.pick(str(body["order"]), body.get("person")),
        "read": lambda body: orders.read(str(body["order"]), str(body["person"])),
        "answer": lambda body: orders.answer_call(str(body["order"]), in_call=bool(body["in_call"])),
        "approve": lambda body: orders.approve(
            str(body["order"]),
            str(body["person"]),
            pin=body.get("pin"),
            after_seconds=float(body.get("after_seconds", 0)),
        ),
        "cancel": lambda body: orders.refuse(str(body["order"])),
        "fail": lambda body: orders.refuse(str(body["order"]), str(body["hint"])),
        "hint": lambda body: orders.show_hint(str(body["order"]), str(body["hint"])),
    }

    @app.post("/phone/<act>")
    def control(act: str) -> ResponseReturnValue:
        body = request.get_json()  # demands application/json, which a foreign page's form cannot send
        try:
            if act == "faults":
                if body.pop("reset", False):
                    faults.reset()
                faults.change(body)
                return jsonify(vars(faults.settings))
            if act == "forget":
                orders.forget()
                return jsonify(orders=[])
            if act == "clock":
                faults.shift(float(body["seconds"]))
                if body.get("stands_still"):
                    faults.stand_still()
                return jsonify(now=faults.now())
            if act not in acts:
                return jsonify(error="no-such-act"), 404
            return jsonify(_described(acts[act](body), faults.now()))
        except KeyError as error:
            return jsonify(error=f"{error.args[0]}-missing"), 400
        except PhoneError:
            raise
        except ValueError as error:
            return jsonify(error=str(error)), 400


def _described(order: Order, now: float) -> dict[str, Any]:
    waiting = order.status == "pending" and order.opened_at is None and not order.by_phone
    return {
        "order": order.number,
        "bank": order.party.display_name,
        "act": order.act,
        "status": order.status,
        "hint": order.hint,
        "purpose": order.purpose,
        "same_device": order.same_device,
        "return_url": _way_back(order),
        "qr": order.qr_text(now) if waiting else None,
    }
