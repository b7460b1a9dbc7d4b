// @ts-check
// The questions of a form: drawn once, then kept up to date in place, so that nobody loses the field they are in.

import { icon, make } from "./make.js";

/**
 * @typedef {object} Question one field, as views.py tells it
 * @property {string} name @property {string} kind @property {string} label @property {string} help
 * @property {boolean} required @property {boolean} mine @property {string} shown @property {string} value
 * @property {boolean} masked @property {boolean} filled @property {number} n @property {string} by
 * @property {string} problem @property {boolean} missing
 * @property {{value: string, label: string}[]} [choices] @property {string} [earliest] @property {string} [latest]
 * @property {string[]} [countries] @property {string} [country] @property {string} [unit]
 */
/** @typedef {{name: string, title: string, help: string, fields: Question[]}} Section */
/** @typedef {{element: HTMLElement, question: Question, key: string, control: HTMLElement | null, read: () => string, dirty: boolean}} Row */

/** What a keyboard on a phone should show. @param {string} kind */
export function keyboard(kind) {
  if (kind === "money" || kind === "percent") return "decimal";
  if (kind === "number" || kind === "personal_number") return "numeric";
  if (kind === "phone") return "tel";
  return kind === "email" ? "email" : "text";
}

/** What a browser may fill in by itself. @param {string} kind */
export function autofill(kind) {
  return { email: "email", phone: "tel" }[kind] ?? "off";
}

/** When a field must be drawn anew: its control would be another. @param {Question} question */
export function shape(question) {
  const { kind, mine, choices = [], countries = [] } = question;
  return JSON.stringify([kind, mine, choices, countries]);
}

export class Questions {
  /** @type {Map<string, Row>} */ rows = new Map();
  /** @type {Map<string, HTMLElement>} */ #sections = new Map();
  #host;
  #options;
  /** Whether missing answers are marked: not before somebody tried to go on. */
  strict = false;

  /**
   * @param {HTMLElement} host
   * @param {{t: (key: string, params?: any) => string, prefix: string, change: (name: string, value: string) => void,
   *          heading?: string, enter?: (name: string) => void, leave?: (name: string) => void}} options
   */
  constructor(host, options) {
    this.#host = host;
    this.#options = options;
  }

  /** @param {Section[]} sections */
  update(sections) {
    const names = new Set(sections.flatMap(({ fields }) => fields.map(({ name }) => name)));
    for (const [name, row] of this.rows) if (!names.has(name)) { row.element.remove(); this.rows.delete(name); }
    for (const [name, element] of this.#sections) {
      if (!sections.some((section) => section.name === name)) { element.remove(); this.#sections.delete(name); }
    }
    let before = /** @type {Element | null} */ (null);
    for (const section of sections) {
      const element = this.#section(section);
      place(this.#host, element, before);
      before = element;
      let above = /** @type {Element | null} */ (element.querySelector("[data-help]") ?? element.firstElementChild);
      for (const question of section.fields) {
        const row = this.#row(question);
        place(element, row.element, above);
        above = row.element;
        this.#fill(row, question);
      }
    }
  }

  /** Everything that stands in the fields now, by name. @returns {Record<string, string>} */
  values() {
    return Object.fromEntries([...this.rows].filter(([, { question }]) => question.mine).map(([name, row]) => [name, row.read()]));
  }

  /** The first field that is missing or wrong gets the focus. @returns {boolean} whether there was one */
  goToGap() {
    this.strict = true;
    for (const row of this.rows.values()) this.#problem(row, row.question.problem);
    const row = [...this.rows.values()].find(({ question }) => question.missing && question.mine);
    row?.element.querySelector(/** @type {any} */ ("input, select, textarea"))?.focus();
    return Boolean(row);
  }

  /** @param {string} name @param {string} sentence */
  refuse(name, sentence) {
    const row = this.rows.get(name);
    if (row) this.#problem(row, sentence);
  }

  /** Who else stands in which field. @param {Map<string, string[]>} others field -> sentences */
  mark(others) {
    for (const [name, { element }] of this.rows) {
      const line = /** @type {HTMLElement} */ (element.querySelector("[data-others]"));
      const words = (others.get(name) ?? []).join(" ");
      if (line.textContent !== words) line.textContent = words;
      line.hidden = !words;
      element.classList.toggle("taken", Boolean(words));
    }
  }

  /** @param {Section} section */
  #section(section) {
    let element = this.#sections.get(section.name);
    if (!element) {
      const heading = make(this.#options.heading ?? "h3", "", section.title);
      heading.id = `${this.#options.prefix}-${section.name}`;
      element = make("section", "form-section", heading, section.help ? make("p", "quiet small", section.help) : null);
      element.querySelector("p")?.setAttribute("data-help", "");
      element.setAttribute("aria-labelledby", heading.id);
      this.#sections.set(section.name, element);
    }
    return element;
  }

  /** @param {Question} question @returns {Row} */
  #row(question) {
    const known = this.rows.get(question.name);
    if (known && known.key === shape(question)) return known;
    known?.element.remove();
    const row = this.#draw(question);
    this.rows.set(question.name, row);
    return row;
  }

  /** @param {Question} question @returns {Row} */
  #draw(question) {
    const { t, prefix, change, enter, leave } = this.#options;
    const id = `${prefix}-field-${question.name}`;
    const label = question.label + (question.required || question.kind === "computed" ? "" : ` (${t("optional")})`);
    const group = question.kind === "yes_no" && question.mine;
    const element = make(group ? "fieldset" : "div", "field form-field");
    const title = make(group ? "legend" : question.mine ? "label" : "p", "label", label);
    if (!group && question.mine) title.htmlFor = id;
    const help = question.help ? make("p", "hint", question.help) : null;
    if (help) help.id = `${id}-hint`;
    const problem = make("p", "problem");
    problem.id = `${id}-problem`;
    problem.hidden = true;
    const others = make("p", "others small");
    others.dataset.others = "";
    others.hidden = true;
    /** @type {Row} */
    const row = { element, question, key: shape(question), control: null, read: () => "", dirty: false };
    const { body, control, read } = question.mine ? this.#control(question, id, row) : { body: make("p", "form-value"), control: null, read: () => "" };
    row.control = control;
    row.read = read;
    element.append(...[title, help, body, others, problem].filter(Boolean));
    element.dataset.field = question.name;
    control?.setAttribute("aria-describedby", [help?.id, problem.id].filter(Boolean).join(" "));
    if (question.mine) {
      element.addEventListener("input", () => { row.dirty = true; });
      element.addEventListener("change", (event) => {
        if (/** @type {HTMLElement} */ (event.target).dataset.country !== undefined && !this.#typed(row)) return;
        change(question.name, row.read());
      });
      element.addEventListener("focusin", () => enter?.(question.name));
      element.addEventListener("focusout", (event) => {
        if (!element.contains(/** @type {Node | null} */ (/** @type {FocusEvent} */ (event).relatedTarget))) leave?.(question.name);
      });
    }
    return row;
  }

  /** @param {Row} row */
  #typed(row) {
    return Boolean(/** @type {HTMLInputElement | null} */ (row.control)?.value);
  }

  /** @param {Question} question @param {string} id @param {Row} row @returns {{body: HTMLElement, control: HTMLElement, read: () => string}} */
  #control(question, id, row) {
    const { t } = this.#options;
    if (question.kind === "yes_no") return this.#yesNo(id);
    if (question.kind === "choice") {
      const select = make("select");
      select.append(new Option(t("choose"), ""), ...(question.choices ?? []).map(({ value, label }) => new Option(label, value)));
      select.id = id;
      return { body: select, control: select, read: () => select.value };
    }
    const input = make(question.kind === "long_text" ? "textarea" : "input");
    input.id = id;
    input.autocomplete = autofill(question.kind);
    if (question.kind === "long_text") input.rows = 4;
    else input.type = question.kind === "date" ? "date" : "text";
    if (question.kind === "date") { input.min = question.earliest ?? ""; input.max = question.latest ?? ""; }
    else { input.inputMode = keyboard(question.kind); input.spellcheck = question.kind === "long_text"; }
    if (question.countries) return this.#withCountry(question, id, input);
    if (question.unit) {
      const unit = make("span", "unit", question.unit);
      unit.setAttribute("aria-hidden", "true");
      return { body: make("div", "with-unit", input, unit), control: input, read: () => input.value };
    }
    return { body: input, control: input, read: () => input.value };
  }

  /** @param {string} id */
  #yesNo(id) {
    const { t } = this.#options;
    const body = make("div", "either");
    for (const value of ["yes", "no"]) {
      const radio = make("input");
      Object.assign(radio, { type: "radio", name: id, value, id: `${id}-${value}` });
      const label = make("label", "", radio, make("span", "", t(value)));
      body.append(label);
    }
    const read = () => /** @type {HTMLInputElement | null} */ (body.querySelector(":checked"))?.value ?? "";
    return { body, control: body, read };
  }

  /** @param {Question} question @param {string} id @param {HTMLInputElement} input */
  #withCountry(question, id, input) {
    const select = make("select");
    select.append(...(question.countries ?? []).map((code) => new Option(code, code)));
    select.id = `${id}-country`;
    select.dataset.country = "";
    select.setAttribute("aria-label", `${question.label}: ${this.#options.t("country")}`);
    select.value = question.country ?? question.countries?.[0] ?? "";
    const read = () => (input.value ? `${select.value} ${input.value}` : "");
    return { body: make("div", "with-country", select, input), control: input, read };
  }

  /** Put the newest answer into a row, unless the person is writing in it. @param {Row} row @param {Question} question */
  #fill(row, question) {
    const news = question.n !== row.question.n || question.value !== row.question.value || question.shown !== row.question.shown;
    row.question = question;
    const { control, element } = row;
    if (!control) {
      const value = /** @type {HTMLElement} */ (element.querySelector(".form-value"));
      const words = question.shown || this.#options.t(question.kind === "computed" ? "computed" : "others");
      if (value.textContent !== words) value.textContent = words;
      value.classList.toggle("quiet", !question.shown);
    } else if (!(element.contains(document.activeElement) && row.dirty)) {
      this.#set(row, question);
      if (news) row.dirty = false;
    }
    this.#problem(row, question.problem);
  }

  /** @param {Row} row @param {Question} question */
  #set({ control, element }, question) {
    if (question.kind === "yes_no") {
      for (const radio of element.querySelectorAll("input")) /** @type {HTMLInputElement} */ (radio).checked = radio.value === question.value;
      return;
    }
    const input = /** @type {HTMLInputElement} */ (control);
    if (input.value !== question.value) input.value = question.value;
    if (question.kind !== "date" && "placeholder" in input) input.placeholder = question.masked ? `${question.shown} (${this.#options.t("masked")})` : "";
  }

  /** @param {Row} row @param {string} sentence */
  #problem({ element, control, question }, sentence) {
    const words = sentence || (this.strict && question.missing && question.mine ? this.#options.t("missing") : "");
    const line = /** @type {HTMLElement} */ (element.querySelector(".problem"));
    if (line.dataset.words !== words) {
      line.dataset.words = words;
      line.replaceChildren(...(words ? [icon("warn"), make("span", "", words)] : []));
    }
    line.hidden = !words;
    if (words) control?.setAttribute("aria-invalid", "true");
    else control?.removeAttribute("aria-invalid");
  }
}

/** Put an element after another without taking it out of the page when it is there already. @param {Element} host @param {Element} element @param {Element | null} before */
function place(host, element, before) {
  const next = before ? before.nextElementSibling : host.firstElementChild;
  if (next === element) return;
  if (element.contains(document.activeElement) && element.parentNode === host) {
    // Moving it would take the focus away: move the others instead.
    while ((before ? before.nextElementSibling : host.firstElementChild) !== element) host.append(/** @type {Element} */ (before ? before.nextElementSibling : host.firstElementChild));
    return;
  }
  host.insertBefore(element, next);
}
