// @ts-check
// One person's try to sign: begun, asked about once a second, and told in words. What the way asks for, it draws.

import { button, code, el, isPhone, launchable, Pad } from "./dom.js";

/** @typedef {{status: "pending" | "failed" | "complete", message: string, view: Record<string, any>, signing?: any}} Step */

const EVERY = 1000; // milliseconds; BankID's code changes each second
const MOST_SILENT = 30; // seconds without an answer before the person is told in words

export class Try {
  #api; #signing; #place; #done;
  /** @type {number | undefined} */ #timer;
  #over = false;
  #silent = 0;
  #said = "";

  /**
   * @param {any} api @param {any} signing as the panel has it @param {HTMLElement} place what it may draw in
   * @param {(step: Step | null) => void} done told once: the last answer, or null when the person stopped
   */
  constructor(api, signing, place, done) {
    this.#api = api;
    this.#signing = signing;
    this.#place = place;
    this.#done = done;
  }

  /** @param {{name: string, kind: string, title: string}} method @param {boolean} [sameDevice] */
  async begin(method, sameDevice = method.kind === "eid" && isPhone()) {
    this.method = method;
    this.#draw(this.#api.t("panel.starting"), {});
    await this.#ask("start", { method: method.name, same_device: sameDevice });
  }

  /** Go on with a try that was under way when the page was closed. @param {{name: string, kind: string, title: string}} method */
  async resume(method) {
    this.method = method;
    await this.#ask("poll", {});
  }

  /** The panel goes away; the try stays, and the next page goes on with it. */
  leave() {
    this.#over = true;
    clearTimeout(this.#timer);
  }

  async #stop() {
    this.leave();
    try {
      await this.#api.fetchJson("POST", `signings/${this.#signing.id}/stop`, {});
    } catch (problem) {
      this.#api.notice(/** @type {any} */ (problem).sentence ?? this.#api.t("panel.lost"));
    }
    this.#done(null);
  }

  /** @param {string} what @param {Record<string, unknown>} body */
  async #ask(what, body) {
    clearTimeout(this.#timer);
    try {
      const step = await this.#api.fetchJson("POST", `signings/${this.#signing.id}/${what}`, body);
      this.#silent = 0;
      if (!this.#over) this.#take(step);
    } catch (problem) {
      if (this.#over) return;
      const sentence = /** @type {any} */ (problem).sentence;
      if (sentence && /** @type {any} */ (problem).status < 500) this.#take({ status: "failed", message: sentence, view: {} });
      else this.#wait();
    }
  }

  #wait() {
    this.#silent += 1;
    if (this.#silent === MOST_SILENT) this.#api.notice(this.#api.t("panel.lost"));
    this.#timer = window.setTimeout(() => void this.#ask("poll", {}), EVERY);
  }

  /** @param {Step} step */
  #take(step) {
    if (step.status !== "pending") {
      this.leave();
      this.#done(step);
      return;
    }
    this.#draw(step.message, step.view);
    if (!step.view.field) this.#timer = window.setTimeout(() => void this.#ask("poll", {}), EVERY);
  }

  /** @param {string} message @param {Record<string, any>} view */
  #draw(message, view) {
    const t = this.#api.t;
    const kind = view.field ?? (view.qr ? "qr" : view.launch_url ? "launch" : "words");
    if (this.#place.dataset.kind !== kind) {
      this.#place.dataset.kind = kind;
      this.#place.replaceChildren(this.#frame(kind, view));
      if (kind === "drawing" || kind === "code") this.#place.querySelector("input")?.focus();
    }
    const picture = this.#place.querySelector("[data-code]");
    if (picture && view.qr) picture.replaceChildren(code(view.qr, t("panel.show_qr")) ?? "");
    const status = /** @type {HTMLElement} */ (this.#place.querySelector("[data-status]"));
    if (this.#said !== message) status.textContent = this.#said = message;
  }

  /** @param {string} kind @param {Record<string, any>} view */
  #frame(kind, view) {
    const t = this.#api.t;
    const status = el("p", { class: "alive", role: "status", "data-status": true });
    const stop = button(t("panel.stop"), "plain wide staff", () => void this.#stop());
    const checks = this.method?.kind === "eid" ? el("p", { class: "small" }, `${t("panel.same")} ${t(this.#signing.act === "approve" ? "panel.step_up_approve" : "panel.step_up")}`) : null;
    this.#said = "";
    if (kind === "qr") {
      const here = button(t("panel.here", { method: this.method?.title ?? "" }), "line wide staff", () => void this.begin(/** @type {any} */ (this.method), true), this.#api.icon("phone"));
      return el("div", { class: "stack" }, el("div", { class: "scan" }, el("div", { "data-code": true }), status), checks, el("div", { class: "stack-s" }, here, stop));
    }
    if (kind === "launch") {
      const url = view.launch_url;
      const open = launchable(url) ? el("a", { class: "btn main wide", href: url, target: "_blank", rel: "noopener" }, t("panel.launch")) : null;
      const show = button(t("panel.show_qr"), "line wide staff", () => void this.begin(/** @type {any} */ (this.method), false));
      return el("div", { class: "stack" }, status, open, checks, el("div", { class: "stack-s" }, show, stop));
    }
    if (kind === "drawing") return el("div", { class: "stack" }, status, this.#drawing(), stop);
    if (kind === "code") return el("div", { class: "stack" }, status, this.#code(view), stop);
    return el("div", { class: "stack" }, status, checks, stop);
  }

  #drawing() {
    const t = this.#api.t;
    const pad = new Pad(t("panel.draw"));
    const typed = /** @type {HTMLInputElement} */ (el("input", { id: `typed-${this.#signing.id}`, type: "text", autocomplete: "name", maxlength: "120" }));
    const form = el("form", { class: "stack", novalidate: true },
      pad.element,
      el("div", { class: "field" }, el("label", { for: typed.id }, t("panel.typed")), typed),
      el("div", { class: "acts" },
        el("button", { class: "btn main", type: "submit" }, t("panel.confirm")),
        button(t("panel.clear"), "plain", () => { pad.clear(); typed.value = ""; })));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const answer = typed.value.trim() ? { typed: typed.value } : { strokes: JSON.stringify(pad.strokes.filter((stroke) => stroke.length)) };
      void this.#ask("answer", answer);
    });
    return form;
  }

  /** @param {Record<string, any>} view */
  #code(view) {
    const t = this.#api.t;
    const id = `code-${this.#signing.id}`;
    const input = /** @type {HTMLInputElement} */ (el("input", {
      class: "code num", id, type: "text", inputmode: "numeric", autocomplete: "one-time-code", maxlength: "6", "aria-describedby": `${id}-hint`,
    }));
    const form = el("form", { class: "stack", novalidate: true },
      el("div", { class: "field" },
        el("label", { for: id }, t("panel.code")),
        el("p", { class: "hint", id: `${id}-hint` }, t("panel.code_hint", { ends: view.number_ends })), input),
      el("div", { class: "acts" },
        el("button", { class: "btn main", type: "submit" }, t("panel.confirm")),
        button(t("panel.code_again"), "plain", () => void this.#ask("answer", { again: "yes" }))));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#ask("answer", { code: input.value });
      input.select();
    });
    return form;
  }
}
