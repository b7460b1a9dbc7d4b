// @ts-check
// A signature on the public page: choose a way, take its steps, tell each in words.

import { post, Problem } from "/static/js/api.js";
import { button, icon, make } from "./make.js";

const POLL_EVERY = 1500; // milliseconds
const MOST_POINTS = 1500; // a long name; more says nothing new

/** A drawn line with no more points than are kept. @param {[number, number][][]} strokes */
export function thinned(strokes) {
  const count = strokes.reduce((sum, stroke) => sum + stroke.length, 0);
  if (count <= MOST_POINTS) return strokes;
  const every = Math.ceil(count / MOST_POINTS);
  return strokes.map((stroke) => stroke.filter((_, at) => at % every === 0 || at === stroke.length - 1));
}

/** An address that may open an app. @param {unknown} url */
export function launchable(url) {
  return typeof url === "string" && /^(https?|bankid|freja|mitid|frejaeid):\/\//.test(url);
}

export class Signature {
  #host;
  #options;
  /** @type {[number, number][][]} */ #strokes = [];
  #method = "";
  #kind = "";
  #field = "";
  #polling = false;

  /** @param {HTMLElement} host @param {{t: (key: string, params?: any) => string, base: string, signal: AbortSignal, done: () => void}} options */
  constructor(host, options) {
    this.#host = host;
    this.#options = options;
  }

  /** @param {any[]} methods known ways; none before the signing began @param {string} nonce what the app brought back, "" for none */
  begin(methods, nonce) {
    if (methods.length) return void this.#resume(methods, nonce);
    const { t } = this.#options;
    this.#host.replaceChildren(make("div", "acts", button(t("sign"), "main", () => void this.#act({ what: "start" }))));
  }

  /** Back from the app, or after a reload: go on with a try that is under way, else choose. @param {any[]} methods @param {string} nonce */
  async #resume(methods, nonce) {
    const { base, signal, done } = this.#options;
    try {
      const step = await post(`${base}/act`, nonce ? { what: "submit", answer: { nonce } } : { what: "poll" }, signal);
      if (step.status === "complete" || step.status === "ended") return done();
      if (step.status === "pending") {
        this.#kind = step.view?.field ? "" : "eid";
        return this.#show(step);
      }
    } catch (error) {
      if (!(error instanceof Problem)) return;
    }
    this.#choose(methods);
  }

  /** @param {any[]} methods */
  #choose(methods) {
    const { t } = this.#options;
    if (methods.length === 1) return void this.#start(methods[0]);
    const heading = make("h2", "", t("how_sign"));
    heading.tabIndex = -1;
    const ways = make("div", "sign-ways", ...methods.map((each) => button(each.title, "line wide", () => void this.#start(each))));
    this.#host.replaceChildren(heading, ways, this.#decline());
    heading.focus();
  }

  /** @param {any} method */
  async #start(method) {
    this.#method = method.name;
    this.#kind = method.kind;
    this.#field = "";
    await this.#act({ what: "start", method: method.name, same_device: matchMedia("(pointer: coarse)").matches });
  }

  /** @param {any} body */
  async #act(body) {
    const { base, signal, done } = this.#options;
    try {
      const step = await post(`${base}/act`, body, signal);
      if (step.status === "choose") return this.#choose(step.methods);
      if (step.status === "complete" || step.status === "ended") return done();
      this.#show(step);
    } catch (error) {
      if (error instanceof Problem) this.#say(error.sentence);
    }
  }

  /** @param {any} step */
  #show({ status, sentence, view = {} }) {
    const field = status === "failed" ? "failed" : view.field || (view.qr || this.#kind === "eid" ? "app" : "");
    if (field !== this.#field) this.#draw(field, view);
    this.#field = field;
    this.#say(sentence);
    if (field === "app") { this.#app(view); void this.#poll(); }
  }

  /** @param {string} field @param {any} view */
  #draw(field, view) {
    const { t } = this.#options;
    const said = make("p", "");
    said.dataset.said = "";
    said.setAttribute("role", "status");
    const again = button(t("how_sign"), "line", () => void this.#act({ what: "start" }));
    if (field === "drawing") this.#host.replaceChildren(said, ...this.#drawing());
    else if (field === "code") this.#host.replaceChildren(said, ...this.#code(view));
    else if (field === "app") this.#host.replaceChildren(said, this.#appPlace(), make("div", "acts", button(t("cancel"), "line", () => void this.#cancel())));
    else this.#host.replaceChildren(said, make("div", "acts", again));
    this.#host.append(this.#decline());
  }

  #drawing() {
    const { t } = this.#options;
    this.#strokes = [];
    const pad = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    pad.setAttribute("class", "sign-draw");
    pad.setAttribute("role", "img");
    pad.setAttribute("aria-label", t("draw"));
    /** @type {SVGPolylineElement | null} */
    let line = null;
    const point = (/** @type {PointerEvent} */ event) => {
      const box = pad.getBoundingClientRect();
      const [x, y] = [event.clientX - box.left, event.clientY - box.top];
      const share = (/** @type {number} */ value, /** @type {number} */ whole) => Math.round(Math.min(1, Math.max(0, value / whole)) * 1000) / 1000;
      this.#strokes.at(-1)?.push([share(x, box.width), share(y, box.height)]);
      line?.setAttribute("points", `${line.getAttribute("points") ?? ""} ${x.toFixed(1)},${y.toFixed(1)}`);
    };
    pad.addEventListener("pointerdown", (event) => {
      event.preventDefault();
      pad.setPointerCapture(event.pointerId);
      this.#strokes.push([]);
      line = document.createElementNS("http://www.w3.org/2000/svg", "polyline");
      pad.append(line);
      point(event);
    });
    pad.addEventListener("pointermove", (event) => { if (line && event.buttons) point(event); });
    pad.addEventListener("pointerup", () => { line = null; });
    const typed = make("input");
    Object.assign(typed, { id: "sign-typed", type: "text", maxLength: 100, autocomplete: "name" });
    const label = make("label", "", t("type_name"));
    label.htmlFor = typed.id;
    const send = () => void this.#act({ what: "submit", method: this.#method, answer: this.#strokes.length ? { strokes: JSON.stringify(thinned(this.#strokes)) } : { typed: typed.value } });
    const wipe = button(t("clear"), "line", () => { this.#strokes = []; pad.replaceChildren(); });
    return [make("p", "label", t("draw")), pad, make("div", "field", label, typed), make("div", "acts", button(t("confirm"), "main", send), wipe)];
  }

  /** @param {any} view */
  #code({ length = 6 }) {
    const { t } = this.#options;
    const input = make("input", "code");
    Object.assign(input, { id: "sign-code", type: "text", inputMode: "numeric", autocomplete: "one-time-code", maxLength: length + 4 });
    const label = make("label", "", t("code"));
    label.htmlFor = input.id;
    const form = make("form", "stack", make("div", "field", label, input), make("div", "acts", button(t("confirm"), "main", () => form.requestSubmit())));
    form.addEventListener("submit", (/** @type {Event} */ event) => {
      event.preventDefault();
      void this.#act({ what: "submit", method: this.#method, answer: { code: input.value.replace(/\D/g, "") } });
    });
    return [form];
  }

  #appPlace() {
    const place = make("div", "stack");
    place.dataset.app = "";
    return place;
  }

  /** @param {any} view */
  #app({ qr, launch_url: url }) {
    const place = this.#host.querySelector("[data-app]");
    if (!place) return;
    const parts = [];
    if (typeof qr === "string" && qr) {
      const picture = make("img", "qr sign-qr");
      picture.src = `data:image/svg+xml;base64,${btoa(String.fromCharCode(...new TextEncoder().encode(qr)))}`;
      picture.alt = this.#options.t("waiting");
      parts.push(picture);
    }
    if (launchable(url)) {
      const link = make("a", "btn main", this.#options.t("open_app"));
      link.href = url;
      parts.push(link, button(this.#options.t("other_device"), "line", () => void this.#elsewhere()));
    }
    place.replaceChildren(...parts);
  }

  async #poll() {
    if (this.#polling) return;
    this.#polling = true;
    while (this.#field === "app" && !this.#options.signal.aborted) {
      await new Promise((resolve) => setTimeout(resolve, POLL_EVERY));
      if (this.#field === "app") await this.#act({ what: "poll", method: this.#method });
    }
    this.#polling = false;
  }

  /** The app is on another device: the order for this one is given up, and one with a code begun. */
  async #elsewhere() {
    this.#field = "";
    await this.#act({ what: "cancel", method: this.#method });
    await this.#act({ what: "start", method: this.#method, same_device: false });
  }

  async #cancel() {
    this.#field = "";
    await this.#act({ what: "cancel", method: this.#method });
    await this.#act({ what: "start" });
  }

  #decline() {
    const { t } = this.#options;
    const place = make("div", "acts");
    const ask = () => place.replaceChildren(
      button(t("decline_ask"), "stop", () => void this.#act({ what: "decline" })),
      button(t("decline_not"), "line", offer),
    );
    const offer = () => {
      const decline = button(t("decline"), "plain", () => { ask(); /** @type {HTMLElement} */ (place.lastElementChild).focus(); });
      place.replaceChildren(decline);
    };
    offer();
    return place;
  }

  /** @param {string} sentence */
  #say(sentence) {
    let said = this.#host.querySelector("[data-said]");
    if (!said) {
      said = make("p", "");
      /** @type {HTMLElement} */ (said).dataset.said = "";
      said.setAttribute("role", "status");
      this.#host.prepend(said);
    }
    if (said.textContent !== sentence) said.textContent = sentence;
  }
}
