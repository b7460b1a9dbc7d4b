// @ts-check
// The calculator beside the talk: who may calculate sets the values, everybody sees the same figures.

import { bars, grouped, money, percent, whole } from "./figures.js";

const CHART = { width: 400, height: 150 };
const FIELDS = [["amount", 10000], ["value", 50000], ["years", 1]];

/** @param {HTMLElement} section @param {any} api */
export async function mount(section, api) {
  const view = new Calculator(section, api);
  await view.load();
  return { shown: () => void view.load() };
}

/** @param {string} tag @param {string} [name] @param {...(Node | string | null)} children @returns {any} */
function make(tag, name = "", ...children) {
  const element = document.createElement(tag);
  if (name) element.className = name;
  element.append(...children.filter((child) => child !== null));
  return element;
}

class Calculator {
  #section;
  #api;
  #t;
  /** @type {any} */ #state = null;
  /** @type {HTMLElement} */ #fields = make("div", "calc-fields");
  /** @type {HTMLElement} */ #result = make("div", "stack");
  /** @type {HTMLElement} */ #problem = make("p", "problem");
  #drawn = false;
  #turn = 0;

  /** @param {HTMLElement} section @param {any} api */
  constructor(section, api) {
    this.#section = section;
    this.#api = api;
    this.#t = (/** @type {string} */ key, /** @type {any} */ params) => api.t(`panel.${key}`, params);
    this.#problem.hidden = true;
    this.#problem.setAttribute("role", "alert");
    api.on("calculation.made", (/** @type {any} */ data) => void this.#heard(data));
    api.on("connected", () => void this.load());
  }

  async load() {
    const turn = ++this.#turn;
    try {
      const state = await this.#api.fetchJson("GET", "calculations");
      if (turn === this.#turn) this.#take(state);
    } catch (error) {
      if (/** @type {any} */ (error).name === "AbortError") return;
      if (!this.#drawn) this.#section.replaceChildren(make("p", "quiet", /** @type {any} */ (error).sentence ?? this.#t("failed")));
    }
  }

  /** @param {any} data */
  async #heard(data) {
    if ((this.#state?.last?.n ?? 0) >= data.n) return;
    await this.load();
    const { last, limits } = this.#state ?? {};
    if (last && data.by !== this.#api.me.id) this.#api.announce(this.#t("new", { payment: money(last.figures.first_payment, limits.currency, this.#api.language) }));
  }

  /** @param {any} state */
  #take(state) {
    this.#state = state;
    if (!this.#drawn) {
      this.#section.replaceChildren(make("div", "calc", this.#fields, this.#problem, this.#result));
      if (state.may) this.#drawFields();
      this.#drawn = true;
    }
    if (state.may) this.#fill();
    this.#figures();
  }

  #drawFields() {
    const { limits } = this.#state;
    const parts = FIELDS.map(([name, step]) => this.#number(String(name), Number(step)));
    parts.push(
      this.#select("binding", limits.bindings.map((/** @type {any} */ { value, title, percent: rate }) => [value, `${title}, ${percent(rate, this.#api.language)}`])),
      this.#select("repayment", ["annuity", "straight"].map((value) => [value, this.#t(value)])),
    );
    this.#fields.replaceChildren(...parts);
  }

  /** @param {string} name @param {number} step */
  #number(name, step) {
    const { limits } = this.#state;
    const [low, high] = name === "years" ? limits.years : limits.amount;
    const input = make("input");
    Object.assign(input, { id: `calc-${name}`, type: "text", inputMode: "numeric", autocomplete: "off" });
    const slider = make("input");
    Object.assign(slider, { id: `calc-${name}-slider`, type: "range", min: String(low), max: String(Math.min(high, name === "years" ? high : 10_000_000)), step: String(step) });
    slider.setAttribute("aria-label", this.#t(name));
    slider.addEventListener("input", () => { input.value = grouped(Number(slider.value), this.#api.language); this.#spoken(slider, input.value); });
    slider.addEventListener("change", () => void this.#make());
    input.addEventListener("change", () => void this.#make());
    input.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => { if (event.key === "Enter") void this.#make(); });
    const label = make("label", "", this.#t(name));
    label.htmlFor = input.id;
    return make("div", "field", label, input, slider);
  }

  /** @param {string} name @param {string[][]} options */
  #select(name, options) {
    const select = make("select");
    select.id = `calc-${name}`;
    select.append(...options.map(([value, words]) => new Option(words, value)));
    select.addEventListener("change", () => void this.#make());
    const label = make("label", "", this.#t(name));
    label.htmlFor = select.id;
    return make("div", "field", label, select);
  }

  /** @param {HTMLElement} slider @param {string} words */
  #spoken(slider, words) {
    slider.setAttribute("aria-valuetext", words);
  }

  #fill() {
    const { inputs } = this.#state;
    for (const [name] of FIELDS) {
      const input = this.#input(String(name));
      const slider = /** @type {HTMLInputElement} */ (this.#fields.querySelector(`#calc-${name}-slider`));
      if (document.activeElement !== input) input.value = grouped(inputs[name], this.#api.language);
      if (document.activeElement !== slider) slider.value = String(inputs[name]);
      this.#spoken(slider, grouped(inputs[name], this.#api.language));
    }
    for (const name of ["binding", "repayment"]) this.#input(name).value = inputs[name];
  }

  /** @param {string} name @returns {HTMLInputElement} */
  #input(name) {
    return /** @type {HTMLInputElement} */ (this.#fields.querySelector(`#calc-${name}`));
  }

  /** @param {any} [inputs] @param {boolean} [undo] */
  async #make(inputs, undo = false) {
    const given = inputs ?? {
      ...Object.fromEntries(FIELDS.map(([name]) => [name, whole(this.#input(String(name)).value) ?? this.#input(String(name)).value])),
      binding: this.#input("binding").value, repayment: this.#input("repayment").value,
    };
    const turn = ++this.#turn;
    try {
      const state = await this.#api.fetchJson("POST", "calculations", { inputs: given, undo });
      this.#problem.hidden = true;
      if (turn !== this.#turn) return;
      this.#take(state);
      this.#api.announce(this.#t("new", { payment: money(state.last.figures.first_payment, state.limits.currency, this.#api.language) }));
    } catch (error) {
      if (/** @type {any} */ (error).name === "AbortError") return;
      this.#problem.replaceChildren(this.#api.icon("warn"), make("span", "", /** @type {any} */ (error).sentence ?? this.#t("failed")));
      this.#problem.hidden = false;
      this.#problem.scrollIntoView({ block: "nearest" });
    }
  }

  #figures() {
    const { last, limits, may } = this.#state;
    const t = this.#t;
    if (!last) {
      const empty = make("div", "empty", this.#api.icon("calc"), make("p", "", make("strong", "", t("none"))), make("p", "quiet", t("none_text")));
      const go = make("button", "btn main staff", t("calculate"));
      go.type = "button";
      go.addEventListener("click", () => void this.#make());
      this.#result.replaceChildren(may ? go : empty);
      return;
    }
    const { figures } = last;
    const cash = (/** @type {string | number} */ amount) => money(amount, limits.currency, this.#api.language);
    const rate = (/** @type {string} */ value) => percent(value, this.#api.language);
    const main = make("p", "calc-main", make("span", "", t("first")), make("b", "", cash(figures.first_payment)), make("span", "quiet", t("of_which", { interest: cash(figures.first_interest), repaid: cash(figures.first_repayment) })));
    const rows = [
      ["nominal", rate(figures.nominal)], ["effective", rate(figures.effective)], ["share", rate(figures.share)],
      ["last", cash(figures.last_payment)], ["interest", cash(figures.total_interest)], ["total", cash(figures.total_paid)],
    ];
    if (!may) rows.unshift(...this.#given(cash));
    const list = make("dl", "calc-figures", ...rows.flatMap(([key, words]) => [make("dt", "", t(key)), make("dd", "", words)]));
    const open = this.#result.querySelector("details")?.open ?? false;
    const foot = make("p", "quiet small", `${t("made", { number: last.n, name: last.by })} ${t("from", { table: last.table, formula: last.formula })}`);
    const focus = /** @type {HTMLElement | null} */ (document.activeElement)?.dataset?.act;
    this.#result.replaceChildren(main, list, this.#chart(cash), this.#table(cash, open), foot, ...(may ? [this.#acts()] : []));
    if (focus) /** @type {HTMLElement | null} */ (this.#result.querySelector(`[data-act="${focus}"]`))?.focus();
  }

  /** What was calculated on, for who only looks. @param {(amount: any) => string} cash @returns {string[][]} */
  #given(cash) {
    const { inputs, limits } = this.#state;
    const binding = limits.bindings.find((/** @type {any} */ each) => each.value === inputs.binding)?.title ?? inputs.binding;
    return [["amount", cash(inputs.amount)], ["value", cash(inputs.value)], ["years", String(inputs.years)], ["binding", binding], ["repayment", this.#t(inputs.repayment)]];
  }

  /** @param {(amount: any) => string} cash */
  #chart(cash) {
    const { last, inputs } = this.#state;
    const space = "http://www.w3.org/2000/svg";
    const chart = document.createElementNS(space, "svg");
    chart.setAttribute("class", "calc-chart");
    chart.setAttribute("viewBox", `0 0 ${CHART.width} ${CHART.height + 20}`);
    chart.setAttribute("role", "img");
    chart.setAttribute("aria-label", this.#t("chart", { start: cash(inputs.amount), years: inputs.years }));
    const add = (/** @type {string} */ tag, /** @type {Record<string, string | number>} */ values, text = "") => {
      const element = document.createElementNS(space, tag);
      for (const [name, value] of Object.entries(values)) element.setAttribute(name, String(value));
      element.textContent = text;
      chart.append(element);
    };
    for (const { x, y, width, height } of bars(last.figures.years, inputs.amount, CHART)) {
      add("rect", { class: "bar", x: x.toFixed(2), y: y.toFixed(2), width: width.toFixed(2), height: height.toFixed(2) });
    }
    add("line", { class: "axis", x1: 0, y1: CHART.height, x2: CHART.width, y2: CHART.height });
    add("text", { x: 0, y: CHART.height + 16 }, "0");
    add("text", { x: CHART.width, y: CHART.height + 16, "text-anchor": "end" }, String(inputs.years));
    return chart;
  }

  /** The same as the picture, for who reads or listens. @param {(amount: any) => string} cash @param {boolean} open */
  #table(cash, open) {
    const { last } = this.#state;
    const head = ["year", "year_interest", "repaid", "left"].map((key) => { const cell = make("th", "", this.#t(key)); cell.scope = "col"; return cell; });
    const rows = last.figures.years.map((/** @type {any} */ { year, interest, repaid, left }) => {
      const first = make("th", "", String(year));
      first.scope = "row";
      return make("tr", "", first, ...[interest, repaid, left].map((amount) => make("td", "", cash(amount))));
    });
    const table = make("table", "calc-years", make("thead", "", make("tr", "", ...head)), make("tbody", "", ...rows));
    const fold = make("details", "fold", make("summary", "", this.#t("table")), make("div", "calc-scroll", table));
    fold.open = open;
    return fold;
  }

  #acts() {
    const { last, before } = this.#state;
    const act = (/** @type {string} */ key, /** @type {string} */ kind, /** @type {() => void} */ work) => {
      const made = make("button", `btn ${kind} staff`, this.#t(key));
      made.type = "button";
      made.dataset.act = key;
      made.addEventListener("click", work);
      return made;
    };
    return make("div", "acts", act("carry", "line", () => void this.#carry(last.id)), before ? act("undo", "plain", () => void this.#make(before, true)) : null);
  }

  /** @param {string} id */
  async #carry(id) {
    try {
      const { title } = await this.#api.fetchJson("POST", `calculations/${id}/carry`, {});
      this.#api.notice(this.#t("carried", { title }));
    } catch (error) {
      if (/** @type {any} */ (error).sentence) this.#api.notice(/** @type {any} */ (error).sentence);
    }
  }
}
