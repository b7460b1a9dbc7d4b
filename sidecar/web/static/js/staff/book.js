// @ts-check
// Booking: what follows from the type is shown before anything is sent; a missing answer is named, not blocked.

import { announce } from "../announce.js";
import { get, pageSignal, post, Problem } from "../api.js";

/** @typedef {{id: string, name: string, locality: string, segment: string}} Customer */
/** @typedef {{name: string, capacity: string, email: string, phone: string, national_id: string}} Guest */

/** What is missing in a booking, by field, in reading order.
 * @param {{customer: string, purpose: string, starts_at: string}} booking @returns {string[]} */
export function missing(booking) {
  return ["customer", "purpose", "starts_at"].filter((name) => !booking[/** @type {keyof booking} */ (name)].trim());
}

/** What is missing in a guest. @param {Guest} guest @param {boolean} needsId */
export function guestIsWhole(guest, needsId) {
  return Boolean(guest.name.trim() && guest.email.includes("@") && (guest.national_id.trim() || !needsId));
}

const form = /** @type {HTMLFormElement | null} */ (typeof document === "undefined" ? null : document.getElementById("book"));
if (form) begin(form);

/** @param {HTMLFormElement} form */
function begin(form) {
  const signal = pageSignal();
  /** @param {string} id @returns {HTMLInputElement} */
  const input = (id) => /** @type {HTMLInputElement} */ (document.getElementById(id));
  /** @type {Customer | null} */
  let customer = null;
  /** @type {Guest[]} */
  const guests = [];

  const type = () => /** @type {HTMLInputElement} */ (form.querySelector('input[name="type"]:checked'));
  const problem = (/** @type {string} */ name, shown = true, /** @type {string} */ text = "") => {
    const note = /** @type {HTMLElement | null} */ (form.querySelector(`[data-field="${name}"]`));
    if (!note) return;
    note.hidden = !shown;
    const words = note.querySelector("span");
    if (words) words.textContent = text || note.dataset.missing || "";
  };

  form.addEventListener("change", (event) => {
    if (event.target instanceof HTMLInputElement && event.target.name === "type") {
      for (const card of document.querySelectorAll('[id^="follows-"]')) {
        /** @type {HTMLElement} */ (card).hidden = card.id !== type().dataset.follows;
      }
    }
  });

  const more = document.getElementById("more");
  more?.addEventListener("click", () => {
    const open = more.getAttribute("aria-expanded") !== "true";
    more.setAttribute("aria-expanded", String(open));
    for (const each of form.querySelectorAll('.type[data-more="yes"]')) /** @type {HTMLElement} */ (each).hidden = !open;
  });

  // The customer, found while typing
  const field = input("customer");
  const list = /** @type {HTMLUListElement} */ (document.getElementById("customer-list"));
  /** @type {Customer[]} */
  let found = [];
  let active = -1;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let typing;
  const close = () => {
    list.hidden = true;
    active = -1;
    field.setAttribute("aria-expanded", "false");
    field.removeAttribute("aria-activedescendant");
  };
  const choose = (/** @type {Customer} */ one) => {
    customer = one;
    field.value = one.locality ? `${one.name}, ${one.locality}` : one.name;
    problem("customer", false);
    close();
  };
  const show = () => {
    list.replaceChildren(...found.map((one, index) => {
      const item = document.createElement("li");
      item.id = `customer-${index}`;
      item.setAttribute("role", "option");
      item.setAttribute("aria-selected", String(index === active));
      const name = document.createElement("strong");
      name.textContent = one.name;
      const where = document.createElement("span");
      where.className = "small quiet";
      where.textContent = one.locality;
      item.append(name, where);
      item.addEventListener("mousedown", (event) => { event.preventDefault(); choose(one); });
      return item;
    }));
    list.hidden = !found.length;
    field.setAttribute("aria-expanded", String(Boolean(found.length)));
    if (active >= 0) field.setAttribute("aria-activedescendant", `customer-${active}`);
  };
  field.addEventListener("input", () => {
    customer = null;
    clearTimeout(typing);
    typing = setTimeout(async () => {
      const words = field.value.trim();
      if (words.length < 2) return close();
      try {
        found = await get(`${form.dataset.customers}?q=${encodeURIComponent(words)}`, signal);
      } catch (error) {
        if (error instanceof Problem) problem("customer", true, error.sentence);
        return;
      }
      active = -1;
      show();
      const none = /** @type {HTMLElement | null} */ (form.querySelector('[data-field="customer"]'))?.dataset.none;
      problem("customer", !found.length, none);
    }, 150);
  });
  field.addEventListener("keydown", (event) => {
    if (list.hidden) return;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      active = (active + (event.key === "ArrowDown" ? 1 : -1) + found.length) % found.length;
      show();
    } else if (event.key === "Enter" && found.length) {
      event.preventDefault();
      choose(found[Math.max(active, 0)]);
    } else if (event.key === "Escape") close();
  });
  field.addEventListener("blur", close);

  // The time
  input("day").addEventListener("change", async () => {
    const slots = /** @type {HTMLElement} */ (document.getElementById("slots"));
    try {
      /** @type {{value: string, label: string}[]} */
      const times = await get(`${form.dataset.times}?day=${input("day").value}`, signal);
      slots.replaceChildren(...times.map((time, index) => slot(time, index === 0)));
      if (!times.length) slots.textContent = slots.dataset.none || "";
    } catch (error) {
      if (error instanceof Problem) problem("starts_at", true, error.sentence);
    }
  });

  // Guests
  const add = /** @type {HTMLButtonElement} */ (document.getElementById("add-guest"));
  const guest = /** @type {HTMLElement} */ (document.getElementById("guest"));
  add.addEventListener("click", () => {
    guest.hidden = !guest.hidden;
    add.setAttribute("aria-expanded", String(!guest.hidden));
    if (!guest.hidden) input("g-name").focus();
  });
  document.getElementById("keep-guest")?.addEventListener("click", () => {
    const one = {
      name: input("g-name").value, capacity: input("g-capacity").value, email: input("g-email").value,
      phone: input("g-phone").value, national_id: input("g-id").value,
    };
    const whole = guestIsWhole(one, type().dataset.eid === "yes");
    problem("guest", !whole);
    if (!whole) return;
    guests.push(one);
    for (const id of ["g-name", "g-email", "g-phone", "g-id"]) input(id).value = "";
    guest.hidden = true;
    add.setAttribute("aria-expanded", "false");
    showGuests();
    add.focus();
  });
  const showGuests = () => {
    const holder = /** @type {HTMLElement} */ (document.getElementById("guests"));
    holder.replaceChildren(...guests.map((one, index) => {
      const chip = document.createElement("button");
      chip.type = "button";
      chip.className = "btn line staff";
      chip.textContent = `${one.name} ×`;
      chip.setAttribute("aria-label", (holder.dataset.remove || "").replace("{name}", one.name));
      chip.addEventListener("click", () => { guests.splice(index, 1); showGuests(); });
      return chip;
    }));
  };

  const booking = () => ({
    type: type().value,
    customer: customer?.id || "",
    purpose: input("purpose").value,
    starts_at: /** @type {HTMLInputElement | null} */ (form.querySelector('input[name="starts_at"]:checked'))?.value || "",
    minutes: Number(input("minutes").value),
    guests,
  });
  const complain = () => {
    const lacking = missing(booking());
    for (const name of ["customer", "purpose", "starts_at"]) problem(name, lacking.includes(name));
    if (!lacking.length) return false;
    const first = lacking[0] === "starts_at" ? form.querySelector('input[name="starts_at"]') : input(lacking[0]);
    /** @type {HTMLElement | null} */ (first)?.focus();
    return true;
  };
  const whole = (/** @type {string} */ sentence) => {
    const note = /** @type {HTMLElement} */ (document.getElementById("book-problem"));
    note.hidden = !sentence;
    const words = note.querySelector("span");
    if (words) words.textContent = sentence;
    if (sentence) announce(sentence);
  };

  let sending = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (sending || complain()) return;
    sending = true;
    whole("");
    try {
      const answer = await post(form.dataset.url || "", booking(), signal);
      location.assign(answer.next);
    } catch (error) {
      sending = false;
      if (error instanceof Problem) whole(error.sentence);
    }
  });
  document.getElementById("preview")?.addEventListener("click", async () => {
    if (complain()) return;
    try {
      const letter = await post(form.dataset.preview || "", booking(), signal);
      const holder = /** @type {HTMLElement} */ (document.getElementById("letter"));
      holder.hidden = false;
      const subject = holder.querySelector("h2");
      const body = holder.querySelector(".letter");
      if (subject) subject.textContent = letter.subject;
      if (body) body.textContent = letter.text;
    } catch (error) {
      if (error instanceof Problem) whole(error.sentence);
    }
  });
}

/** @param {{value: string, label: string}} time @param {boolean} checked */
function slot(time, checked) {
  const label = document.createElement("label");
  label.className = "slot";
  const radio = document.createElement("input");
  Object.assign(radio, { type: "radio", name: "starts_at", value: time.value, checked });
  const words = document.createElement("span");
  words.textContent = time.label;
  label.append(radio, words);
  return label;
}
