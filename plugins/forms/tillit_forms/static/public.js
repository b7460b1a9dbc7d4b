// @ts-check
// A form for whoever came: fill in, read through, sign. No session: what is needed stands in the page's address.

import { get, pageSignal, post, Problem } from "/static/js/api.js";
import { button, icon, make, paper } from "./make.js";
import { Questions } from "./questions.js";
import { Signature } from "./signature.js";

const CHECK_AFTER = 350; // milliseconds after the last change

class Page {
  #root = /** @type {HTMLElement} */ (document.getElementById("form"));
  #body = /** @type {HTMLElement} */ (this.#root.querySelector("[data-body]"));
  #signal = pageSignal();
  /** @type {Record<string, string>} */ #texts = JSON.parse(this.#root.dataset.texts || "{}");
  #base = this.#root.dataset.base || "";
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #later;
  #turn = 0;
  #complete = false;
  #left = 0;
  /** What the app brought back to this page. It is spent at once and stays in no address. */ #nonce = new URLSearchParams(location.search).get("nonce") ?? "";

  constructor() {
    if (this.#nonce) history.replaceState(null, "", location.pathname);
    void (this.#root.dataset.step === "fill" ? this.#fill() : this.#sign());
  }

  /** @param {string} key @param {Record<string, string | number>} [params] */
  t = (key, params = {}) => (this.#texts[key] ?? key).replace(/\{(\w+)\}/gu, (whole, name) => (name in params ? String(params[name]) : whole));

  // Step 1: the questions

  async #fill() {
    const host = make("div", "form-questions");
    const questions = new Questions(host, { t: this.t, prefix: "public", heading: "h2", change: () => this.#checkSoon(questions) });
    const count = make("p", "form-count");
    count.setAttribute("role", "status");
    const problem = make("p", "problem");
    problem.hidden = true;
    problem.setAttribute("role", "alert");
    const go = button(this.t("review"), "main", () => void this.#begin(questions, problem));
    const form = make("form", "stack-l", host, count, problem, make("div", "acts", go));
    form.noValidate = true;
    form.autocomplete = "on";
    form.addEventListener("submit", (/** @type {Event} */ event) => { event.preventDefault(); void this.#begin(questions, problem); });
    this.count = count;
    try {
      await this.#check(questions);
      this.#body.replaceChildren(form);
    } catch (error) {
      this.#failed(error);
    }
  }

  /** @param {Questions} questions */
  #checkSoon(questions) {
    clearTimeout(this.#later);
    this.#later = setTimeout(() => void this.#check(questions).catch(() => {}), CHECK_AFTER);
  }

  /** @param {Questions} questions */
  async #check(questions) {
    const turn = ++this.#turn;
    const view = await post(`${this.#base}/check`, { answers: questions.values() }, this.#signal);
    if (turn === this.#turn) this.#take(questions, view);
  }

  /** @param {Questions} questions @param {any} view */
  #take(questions, view) {
    this.#complete = view.complete;
    this.#left = view.left;
    questions.update(view.sections);
    const words = view.left === 0 ? this.t("all_done") : view.left === 1 ? this.t("left_one") : this.t("left", { count: view.left });
    if (this.count && this.count.textContent !== words) this.count.textContent = words;
  }

  /** @param {Questions} questions @param {HTMLElement} problem */
  async #begin(questions, problem) {
    clearTimeout(this.#later);
    problem.hidden = true;
    try {
      const answer = await post(`${this.#base}/begin`, { answers: questions.values() }, this.#signal);
      location.assign(`${answer.path}${this.#root.dataset.embedded ? "?embed=1" : ""}`);
    } catch (error) {
      if (error instanceof Problem && error.status === 422) {
        this.#take(questions, error.params);
        questions.goToGap();
      } else if (error instanceof Problem) {
        problem.replaceChildren(icon("warn"), make("span", "", error.sentence));
        problem.hidden = false;
      }
    }
  }

  // Steps 2 and 3: read and sign

  async #sign() {
    try {
      const view = await get(`${this.#base}/state`, this.#signal);
      if (!["", "open"].includes(view.signing) || !["ready", "signing"].includes(view.state)) this.#ended(view);
      else this.#read(view);
    } catch (error) {
      this.#failed(error);
    }
  }

  /** @param {any} view */
  #read(view) {
    const place = make("section", "stack");
    place.setAttribute("aria-label", this.t("sign"));
    const papers = make("div", "stack-l", ...view.papers.map((/** @type {any} */ each) => paper(each, this.t("critical"))));
    const signature = new Signature(place, { t: this.t, base: this.#base, signal: this.#signal, done: () => void this.#sign() });
    this.#body.replaceChildren(make("h2", "", this.t("read_through")), papers, place);
    signature.begin(view.methods, this.#nonce);
    this.#nonce = "";
  }

  /** @param {any} view */
  #ended(view) {
    const ok = view.state === "signed" || ["signed", "sealed", "preserved"].includes(view.signing);
    const words = ok ? this.t("signed") : [view.state, view.signing].includes("declined") ? this.t("declined") : this.t("ended");
    const heading = make("h2", "", words);
    heading.tabIndex = -1;
    const note = make("div", `note ${ok ? "ok" : "caution"}`, icon(ok ? "check" : "info"), make("div", "stack-s", heading, ok ? make("p", "", this.t("signed_text")) : null));
    const files = view.papers.map((/** @type {any} */ { key, title }) => {
      const link = make("a", "btn line", icon("down"), this.t("download", { title }));
      link.href = `${this.#base}/papers/${key}`;
      link.download = "";
      return link;
    });
    this.#body.replaceChildren(note, make("div", "acts", ...(ok ? files : [])));
    heading.focus();
  }

  /** @param {unknown} error */
  #failed(error) {
    if (!(error instanceof Problem)) { if (this.#signal.aborted) return; }
    const words = error instanceof Problem && error.sentence ? error.sentence : this.t("failed");
    this.#body.replaceChildren(make("div", "note caution", icon("info"), make("p", "", words)));
  }
}

if (document.getElementById("form")) new Page();
