// @ts-check
// The forms of a meeting, beside the talk: several people in one form, each change seen by all at once.

import { button, icon, make, paper } from "./make.js";
import { Questions } from "./questions.js";

const NEWS = ["begun", "field_changed", "papers_made", "reopened", "withdrawn", "signing_begun", "signed", "ended"];
const STAYS = 150; // milliseconds: who only passes through a field is not told of
const GONE_QUIET = 90000; // milliseconds: whose browser was closed in a field is not there for ever

/** @param {HTMLElement} section @param {any} api */
export async function mount(section, api) {
  const view = new FormsView(section, api);
  await view.load();
  return { shown: () => void view.load(), hidden: () => view.enter("") };
}

class FormsView {
  #api;
  #t;
  #section;
  /** @type {any} */ #form = null;
  /** @type {any} */ #list = null;
  /** @type {Questions | null} */ #questions = null;
  /** @type {Map<string, {field: string, at: number}>} */ #present = new Map();
  /** @type {Map<string, string>} what this person last wrote, by field */ #wrote = new Map();
  #here = "";
  #drawn = "";
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #later;
  #turn = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #move;

  /** @param {HTMLElement} section @param {any} api */
  constructor(section, api) {
    this.#section = section;
    this.#api = api;
    this.#t = (/** @type {string} */ key, /** @type {any} */ params) => api.t(`panel.${key}`, params);
    for (const each of NEWS) api.on(`forms.${each}`, (/** @type {any} */ data) => this.#heard(each, data));
    api.on("forms.entered", (/** @type {any} */ data) => this.#entered(data));
    api.on("connected", () => void this.load());
  }

  async load() {
    try {
      this.#list = await this.#api.fetchJson("GET", "forms");
      const open = this.#list.forms.filter((/** @type {any} */ each) => ["open", "ready", "signing"].includes(each.state));
      if (this.#form) await this.#fetch(this.#form.id);
      else if (open.length === 1) await this.#fetch(open[0].id);
      else this.#draw();
    } catch (error) {
      this.#failed(error);
    }
  }

  /** @param {string} field "" for none */
  enter(field) {
    clearTimeout(this.#move);
    if (!this.#form) return;
    const form = this.#form.id;
    this.#move = setTimeout(() => {
      if (this.#here === field) return; // left and come back at once
      this.#here = field;
      this.#api.fetchJson("POST", `forms/${form}/here`, { field }).catch(() => {});
    }, STAYS);
  }

  /** @param {string} id */
  async #fetch(id) {
    const turn = ++this.#turn;
    const form = await this.#api.fetchJson("GET", `forms/${id}`);
    if (turn === this.#turn) this.#take(form); // a newer answer may have come meanwhile
  }

  /** @param {any} form */
  #take(form) {
    if (this.#form && this.#form.id === form.id && form.version < this.#form.version) return;
    this.#form = form;
    this.#draw();
  }

  /** @param {string} kind @param {any} data */
  #heard(kind, data) {
    if (kind === "begun" && !this.#form) return void this.load();
    if (!this.#form || data.form !== this.#form.id) return;
    if (kind === "field_changed" && data.by !== this.#api.me.id) {
      this.#present.set(data.by, { field: data.field, at: Date.now() });
      if (data.over === this.#api.me.id) this.#overwritten(data);
    }
    clearTimeout(this.#later);
    this.#later = setTimeout(() => { if (this.#form) this.#fetch(this.#form.id).catch(() => {}); }, 60);
  }

  /** @param {any} data */
  #entered({ form, field, by }) {
    if (!this.#form || form !== this.#form.id || by === this.#api.me.id) return;
    if (field) this.#present.set(by, { field, at: Date.now() });
    else this.#present.delete(by);
    this.#mark();
  }

  #mark() {
    /** @type {Map<string, string[]>} */
    const others = new Map();
    for (const [who, { field, at }] of this.#present) {
      const name = this.#form?.people[who];
      if (!name || Date.now() - at > GONE_QUIET) continue;
      others.set(field, [...(others.get(field) ?? []), this.#t("here", { name })]);
    }
    this.#questions?.mark(others);
  }

  /** @param {string} name @param {string} value @param {{undo?: boolean}} [how] */
  async #change(name, value, { undo = false } = {}) {
    if (!this.#form) return;
    const { id } = this.#form;
    const row = this.#questions?.rows.get(name);
    const seen = row?.question.n ?? 0;
    try {
      const form = await this.#api.fetchJson("PUT", `forms/${id}/fields/${name}`, { value, seen, undo });
      if (this.#form?.id !== id) return; // left meanwhile
      if (row) row.dirty = false;
      this.#wrote.set(name, value);
      this.#take(form);
      if (form.over) this.#conflict(name, form.before);
      else this.#saved(name, form.before);
    } catch (error) {
      if (/** @type {any} */ (error).name === "AbortError") return;
      this.#questions?.refuse(name, /** @type {any} */ (error).sentence ?? "");
    }
  }

  /** Two wrote at once: the later stands, the earlier is shown and can be put back. @param {string} name @param {any} before */
  #conflict(name, before) {
    const who = this.#form.people[before.by] ?? "";
    const line = this.#line(this.#t("over", { name: who, value: before.shown || "–" }), name);
    if (!before.masked) line.append(button(this.#t("put_back"), "line staff", () => { line.remove(); void this.#change(name, before.value, { undo: true }); }));
    this.#api.announce(line.textContent ?? "");
  }

  /** @param {any} data */
  #overwritten({ field, by }) {
    const mine = this.#wrote.get(field);
    const label = this.#questions?.rows.get(field)?.question.label ?? field;
    const line = this.#line(this.#t("overwritten", { name: this.#form.people[by] ?? "", field: label }), field);
    if (mine !== undefined) line.append(button(this.#t("put_back"), "line staff", () => { line.remove(); void this.#change(field, mine, { undo: true }); }));
    this.#api.announce(line.textContent ?? "");
  }

  /** @param {string} name @param {any} before */
  #saved(name, before) {
    const row = this.#questions?.rows.get(name);
    for (const old of this.#section.querySelectorAll("[data-saved]")) old.remove();
    const line = make("p", "saved small", icon("check"), make("span", "", this.#t("saved")));
    line.dataset.saved = "";
    if (before && !before.masked) {
      const undo = make("button", "link", this.#t("undo"));
      undo.type = "button";
      undo.addEventListener("click", () => { line.remove(); if (row) row.dirty = false; row?.control?.focus(); void this.#change(name, before.value, { undo: true }); });
      line.append(undo);
    }
    row?.element.append(line);
    this.#api.announce(this.#t("saved"));
  }

  /** A note where it belongs: at its field, else above the buttons. @param {string} words @param {string} [field] */
  #line(words, field) {
    const place = this.#questions?.rows.get(field ?? "")?.element ?? this.#section.querySelector("[data-lines]");
    place?.querySelector(".form-line")?.remove();
    const line = make("div", "note caution form-line", icon("info"), make("p", "", words));
    place?.append(line);
    line.scrollIntoView({ block: "nearest" });
    return line;
  }

  /** @param {any} error */
  #failed(error) {
    if (error?.name === "AbortError") return;
    this.#section.replaceChildren(make("p", "quiet", error?.sentence ?? this.#t("failed")));
    this.#drawn = "";
  }

  #draw() {
    if (!this.#form) return this.#drawList();
    const form = this.#form;
    const shape = `${form.id} ${form.state} ${form.leads}`;
    if (this.#drawn !== shape) this.#drawFrame(shape);
    this.#questions?.update(form.sections);
    this.#mark();
    this.#count();
    this.#papers();
  }

  #drawList() {
    const { forms, templates, leads } = this.#list;
    const t = this.#t;
    const parts = [];
    if (!forms.length) parts.push(make("div", "empty", icon("list"), make("p", "", make("strong", "", t("none"))), make("p", "quiet", t("none_text"))));
    else {
      parts.push(make("ul", "form-list", ...forms.map((/** @type {any} */ { id, title, state }) =>
        make("li", "", button(title, "line wide", () => void this.#fetch(id).catch((error) => this.#failed(error))), make("span", "chip", t(`state.${state}`))))));
    }
    if (leads) {
      parts.push(make("h3", "", t("begin")), make("ul", "form-list", ...templates.map((/** @type {any} */ { name, title, about }) =>
        make("li", "", button(title, "line wide", () => void this.#begin(name)), make("span", "quiet small", about)))));
    }
    this.#drawn = "";
    this.#questions = null;
    this.#section.replaceChildren(...parts);
  }

  /** @param {string} name */
  async #begin(name) {
    try {
      this.#take(await this.#api.fetchJson("POST", "forms", { name }));
    } catch (error) {
      this.#api.notice(/** @type {any} */ (error).sentence ?? this.#t("failed"));
    }
  }

  /** @param {string} shape */
  #drawFrame(shape) {
    const form = this.#form;
    const t = this.#t;
    const back = make("button", "link", icon("left"), t("back"));
    back.type = "button";
    back.addEventListener("click", () => { this.enter(""); void this.#leave(); });
    const host = make("div", "form-questions");
    const parts = [
      make("p", "form-back", back),
      make("div", "form-head", make("h3", "form-title", form.title), make("span", "chip", t(`state.${form.state}`))),
      form.state === "open" ? make("p", "quiet small", form.about) : null,
    ];
    const lines = make("div", "form-lines");
    lines.dataset.lines = "";
    lines.setAttribute("role", "status");
    const papers = make("div", "form-papers");
    papers.dataset.papers = "";
    const count = make("p", "form-count small");
    count.dataset.count = "";
    if (form.state === "open") parts.push(host);
    parts.push(papers, count, lines, this.#acts());
    this.#questions = form.state === "open"
      ? new Questions(host, { t, prefix: "forms", change: (name, value) => void this.#change(name, value), enter: (name) => this.enter(name), leave: () => this.enter("") })
      : null;
    this.#section.replaceChildren(...parts.filter(Boolean));
    this.#drawn = shape;
  }

  /** Back to the list: an answer of the form that is still on its way does not open it again. */
  async #leave() {
    clearTimeout(this.#later);
    this.#turn += 1;
    this.#form = null;
    try {
      this.#list = await this.#api.fetchJson("GET", "forms");
      this.#draw();
    } catch (error) {
      this.#failed(error);
    }
  }

  #acts() {
    const { state, leads } = this.#form;
    const t = this.#t;
    const acts = make("div", "acts form-acts");
    if (leads && state === "open") acts.append(button(t("make"), "main staff", () => void this.#make()), button(t("withdraw"), "plain staff", () => void this.#withdraw()));
    if (leads && state === "ready") acts.append(button(t("ask_sign"), "main staff", () => void this.#act("sign")), button(t("reopen"), "line staff", () => void this.#act("reopen")));
    if (state === "signing") acts.append(button(t("to_signing"), "main staff", () => this.#api.open("signing")));
    return acts;
  }

  /** What is gone for everybody is asked once. */
  async #withdraw() {
    const t = this.#t;
    if (await this.#api.ask({ title: t("withdraw_ask"), text: t("withdraw_text"), stay: t("withdraw_stay"), go: t("withdraw") })) await this.#act("withdraw");
  }

  async #make() {
    if (!this.#form.complete && this.#questions?.goToGap()) {
      this.#api.announce(this.#words());
      return;
    }
    await this.#act("papers");
  }

  /** @param {string} what */
  async #act(what) {
    try {
      const form = await this.#api.fetchJson("POST", `forms/${this.#form.id}/${what}`, {});
      if (what === "withdraw") return void this.#leave();
      this.#take(form);
      if (what === "sign") this.#api.open("signing");
    } catch (error) {
      this.#line(/** @type {any} */ (error).sentence ?? this.#t("failed"));
    }
  }

  #words() {
    const { left } = this.#form;
    return left === 0 ? this.#t("all_done") : left === 1 ? this.#t("left_one") : this.#t("left", { count: left });
  }

  #count() {
    const line = this.#section.querySelector("[data-count]");
    if (line) line.textContent = this.#form.state === "open" ? this.#words() : "";
  }

  #papers() {
    const host = this.#section.querySelector("[data-papers]");
    if (!host) return;
    const open = new Set([...host.querySelectorAll("details[open]")].map((each) => /** @type {HTMLElement} */ (each).dataset.key));
    host.replaceChildren(...this.#form.papers.map((/** @type {any} */ each) => {
      const summary = make("summary", "", this.#form.state === "open" ? this.#t("preview", { title: each.title }) : each.title);
      const fold = make("details", "fold", summary, paper(each, this.#t("critical")));
      fold.dataset.key = each.key;
      fold.open = open.has(each.key);
      return fold;
    }));
  }
}
