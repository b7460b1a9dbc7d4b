// @ts-check
// Invite a guest, who identifies like everybody else. What is wrong with an answer stands at its field.

import { byId, one, write } from "./dom.js";

const FIELDS = /** @type {const} */ (["name", "email", "phone", "national_id"]);

export class Guests {
  #hub;
  #form = /** @type {HTMLFormElement} */ (byId("guest-form"));
  #sending = false;

  /** @param {import("./hub.js").Hub} hub */
  constructor(hub) {
    this.#hub = hub;
    this.#form.noValidate = true;
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#send();
    });
    this.#form.addEventListener("input", ({ target }) => this.#mark(/** @type {HTMLInputElement} */ (target).name, ""));
  }

  /** Which number opens the door follows the meeting: an electronic ID's, or the telephone's that a code is sent to. */
  update() {
    const needsId = this.#hub.room().needs_national_id === true;
    this.#field("national_id").required = needsId;
    this.#field("phone").required = !needsId;
  }

  async #send() {
    const values = Object.fromEntries([...new FormData(this.#form)].map(([name, value]) => [name, String(value).trim()]));
    const gaps = FIELDS.filter((name) => this.#lacks(name, values[name]));
    for (const name of FIELDS) this.#mark(name, gaps.includes(name) ? this.#problem(name)?.dataset.missing ?? "" : "");
    if (gaps.length > 0) {
      this.#field(gaps[0]).focus();
      return;
    }
    if (this.#sending) return;
    this.#sending = true;
    const { t, act, say } = this.#hub;
    const done = byId("guest-done");
    done.hidden = true;
    try {
      // The guest reads the language of whoever invites, until the guest chooses another.
      if (!(await act("invite", { ...values, language: this.#hub.language }, (problem) => this.#refused(problem)))) return;
      this.#form.reset();
      write(one(done, "p"), t("guests.sent", { name: values.name }));
      done.hidden = false;
      say(t("guests.sent", { name: values.name }));
      this.#field("name").focus();
    } finally {
      this.#sending = false;
    }
  }

  /** What the server would refuse without. @param {string} name @param {string} value */
  #lacks(name, value) {
    if (name === "email") return !/^[^\s@]+@[^\s@]+$/u.test(value);
    return this.#field(name).required && !value;
  }

  /** Show the server's sentence at the field it is about; false where it is about none. @param {import("../api.js").Problem} problem */
  #refused({ sentence, params }) {
    const apart = String(params.rule ?? "").startsWith("address/"); // link and code would meet: another telephone helps
    const name = apart ? "phone" : FIELDS.find((field) => field === params.field);
    if (!name) return false;
    this.#mark(name, sentence);
    this.#field(name).focus();
    return true;
  }

  /** @param {string} name @returns {HTMLInputElement} */
  #field(name) {
    return /** @type {HTMLInputElement} */ (one(this.#form, `[name="${name}"]`));
  }

  /** @param {string} name @returns {HTMLElement | null} */
  #problem(name) {
    return document.getElementById(`guest-${name}-problem`);
  }

  /** @param {string} name @param {string} sentence what is wrong, "" for nothing */
  #mark(name, sentence) {
    const problem = this.#problem(name);
    if (!problem) return;
    write(one(problem, "span"), sentence);
    problem.hidden = !sentence;
    if (sentence) this.#field(name).setAttribute("aria-invalid", "true");
    else this.#field(name).removeAttribute("aria-invalid");
  }
}
