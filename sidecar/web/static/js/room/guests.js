// @ts-check
// Invite a guest: an observer or a representative, who identifies like everybody else.

import { byId, one, write } from "./dom.js";

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
  }

  async #send() {
    const values = Object.fromEntries([...new FormData(this.#form)].map(([name, value]) => [name, String(value).trim()]));
    const missing = this.#missing(values);
    for (const name of ["name", "email"]) this.#mark(name, missing === name);
    if (missing) {
      this.#field(missing).focus();
      return;
    }
    if (this.#sending) return;
    this.#sending = true;
    const { t, act, say } = this.#hub;
    const done = byId("guest-done");
    done.hidden = true;
    try {
      // The guest reads the language of whoever invites, until the guest chooses another.
      if (!(await act("invite", { ...values, language: this.#hub.language }))) return;
      this.#form.reset();
      write(one(done, "p"), t("guests.sent", { name: values.name }));
      done.hidden = false;
      say(t("guests.sent", { name: values.name }));
      this.#field("name").focus();
    } finally {
      this.#sending = false;
    }
  }

  /** The first field that is missing something the server would refuse without. @param {Record<string, string>} values */
  #missing(values) {
    if (!values.name) return "name";
    return /^[^\s@]+@[^\s@]+$/u.test(values.email) ? "" : "email";
  }

  /** @param {string} name */
  #field(name) {
    return one(this.#form, `[name="${name}"]`);
  }

  /** @param {string} name @param {boolean} wrong */
  #mark(name, wrong) {
    const field = this.#field(name);
    byId(`guest-${name}-problem`).hidden = !wrong;
    if (wrong) field.setAttribute("aria-invalid", "true");
    else field.removeAttribute("aria-invalid");
  }
}
