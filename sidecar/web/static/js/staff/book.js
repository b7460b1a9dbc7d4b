// @ts-check
// Booking: what follows is decided on the server and shown before anything is sent; what is missing is named, not blocked.

import { announce } from "../announce.js";
import { pageSignal, post, Problem } from "../api.js";
import { fill } from "../words.js";
import { customerField } from "./combobox.js";
import { gaps, guestForm } from "./guests.js";
import { endsSession, put, wrong } from "./said.js";
import { chosenTime, watchTimes } from "./times.js";

/** @typedef {import("./guests.js").Guest} Guest */
/** @typedef {{title: string, lines: {icon: string, heading: string, text: string}[], rules: string, rules_url: string, invitation: string, refusal: string}} Follows */

const SLOW_MS = 400;
const ASKED = /** @type {const} */ (["customer", "purpose", "starts_at"]);

/** What is missing in a booking, by field, in reading order. @param {Record<string, unknown>} booking @returns {string[]} */
export function missing(booking) {
  return ASKED.filter((name) => !String(booking[name] || "").trim());
}

const form = /** @type {HTMLFormElement | null} */ (typeof document === "undefined" ? null : document.getElementById("book"));
if (form) begin(form);

/** @param {HTMLFormElement} form */
function begin(form) {
  const signal = pageSignal();
  /** @param {string} id @returns {HTMLElement} */
  const part = (id) => /** @type {HTMLElement} */ (document.getElementById(id));
  const input = (/** @type {string} */ id) => /** @type {HTMLInputElement} */ (part(id));
  const url = (/** @type {string} */ name) => form.dataset[name] || "";
  let customer = input("customer").dataset.id || "";
  /** @type {Guest[]} */
  const guests = [];

  const chosen = () => /** @type {HTMLInputElement} */ (form.querySelector('input[name="type"]:checked'));
  const needsId = () => chosen().dataset.eid === "yes";
  const booking = () => ({
    type: chosen().value, customer, purpose: input("purpose").value, starts_at: chosenTime(form),
    minutes: Number(input("minutes").value), guests,
  });

  // What follows, decided on the server each time a choice changes
  let asked = 0;
  const follow = async () => {
    const mine = ++asked;
    part("follows").setAttribute("aria-busy", "true");
    try {
      const people = guests.map(({ name, capacity }) => ({ name, capacity }));
      /** @type {Follows} */
      const found = await post(url("follows"), { type: chosen().value, customer, guests: people }, signal);
      if (mine === asked) showFollows(found);
    } catch (error) {
      if (error instanceof Problem && mine === asked) wrong(error);
    } finally {
      if (mine === asked) part("follows").removeAttribute("aria-busy");
    }
  };
  const showFollows = (/** @type {Follows} */ found) => {
    part("follows-h").textContent = found.title;
    part("follows-rules").textContent = found.rules;
    document.getElementById("follows-link")?.setAttribute("href", found.rules_url);
    part("invitation").textContent = found.invitation;
    put(part("refusal"), found.refusal);
    const lines = part("follows-lines");
    lines.replaceChildren(...found.lines.map((line) => fact(line, lines.dataset.icons || "")));
    announce(found.refusal || found.title);
  };

  const signatory = /** @type {HTMLOptionElement} */ (form.querySelector('#g-capacity option[value="customer"]'));
  const hasRoom = (/** @type {Guest} */ guest) => guest.capacity !== "customer" || "customers" in chosen().dataset;
  form.addEventListener("change", (event) => {
    if (!(event.target instanceof HTMLInputElement) || event.target.name !== "type") return;
    signatory.hidden = signatory.disabled = !("customers" in chosen().dataset);
    void follow();
  });
  const more = document.getElementById("more");
  more?.addEventListener("click", () => {
    const open = more.getAttribute("aria-expanded") !== "true";
    more.setAttribute("aria-expanded", String(open));
    more.textContent = (open ? more.dataset.fewer : more.dataset.more) || "";
    for (const each of form.querySelectorAll(".type[data-more]")) {
      const special = /** @type {HTMLElement} */ (each);
      special.hidden = !open && !special.querySelector("input:checked");
    }
  });

  customerField({
    field: input("customer"), list: part("customer-list"), problem: part("customer-problem"), url: url("customers"), signal,
    chosen: (id) => {
      const other = id !== customer;
      customer = id;
      if (other) void follow();
    },
  });

  const fetchTimes = watchTimes({
    holder: part("slots"), day: /** @type {HTMLSelectElement} */ (part("day")),
    minutes: () => Number(input("minutes").value), signal, changed: () => gap("starts_at", false),
  });
  input("minutes").addEventListener("change", () => void fetchTimes());

  // Guests
  const add = part("add-guest");
  const editor = guestForm({
    box: part("guest"), check: url("check"), type: () => chosen().value, needsId, signal,
    keep: (guest) => {
      guests.push(guest);
      closeGuest();
      showGuests();
      void follow();
    },
  });
  const openGuest = (/** @type {Guest | null} */ guest) => {
    add.setAttribute("aria-expanded", "true");
    editor.open(guest);
  };
  const closeGuest = () => {
    editor.close();
    add.setAttribute("aria-expanded", "false");
    add.focus();
  };
  add.addEventListener("click", () => (part("guest").hidden ? openGuest(null) : closeGuest()));
  part("guest").addEventListener("keydown", (event) => {
    if (event.key === "Escape") closeGuest();
  });
  const showGuests = () => {
    const holder = part("guests");
    holder.hidden = !guests.length;
    holder.replaceChildren(...guests.map((guest) => chip(guest, holder, () => {
      guests.splice(guests.indexOf(guest), 1);
      showGuests();
      announce(fill(holder.dataset.removed || "", { name: guest.name }));
      add.focus();
      void follow();
    })));
  };
  const capacity = (/** @type {string} */ value) => form.querySelector(`#g-capacity option[value="${value}"]`)?.textContent || "";
  /** @param {Guest} guest @param {HTMLElement} holder @param {() => void} remove */
  const chip = (guest, holder, remove) => {
    const item = document.createElement("li");
    item.className = "chip";
    const words = document.createElement("span");
    words.textContent = `${guest.name}, ${capacity(guest.capacity).split(",")[0].toLowerCase()}`;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "drop";
    button.setAttribute("aria-label", fill(holder.dataset.remove || "", { name: guest.name }));
    button.append(icon("x", part("follows-lines").dataset.icons || ""));
    button.addEventListener("click", remove);
    item.append(words, button);
    return item;
  };

  // What is missing
  const gap = (/** @type {string} */ name, /** @type {boolean} */ shown, sentence = "") => {
    const note = part(`${name}-problem`);
    put(note, shown ? sentence || note.dataset.missing || "" : "");
    if (name === "starts_at") return;
    if (shown) input(name).setAttribute("aria-invalid", "true");
    else input(name).removeAttribute("aria-invalid");
  };
  const complain = () => {
    const lacking = missing(booking());
    for (const name of ASKED) gap(name, lacking.includes(name));
    const first = lacking[0] === "starts_at" ? form.querySelector('input[name="starts_at"], #day') : lacking[0] && part(lacking[0]);
    if (first instanceof HTMLElement) first.focus();
    if (lacking.length) {
      announce(part(`${lacking[0]}-problem`).textContent?.trim() || "");
      return true;
    }
    // The type may have changed since a guest was added.
    const short = guests.find((guest) => gaps(guest, needsId()).length || !hasRoom(guest));
    if (!short) return false;
    guests.splice(guests.indexOf(short), 1);
    showGuests();
    openGuest(short);
    return true;
  };
  input("purpose").addEventListener("input", () => gap("purpose", false));
  form.addEventListener("change", (event) => {
    if (event.target instanceof HTMLInputElement && event.target.name === "starts_at") gap("starts_at", false);
  });
  const refuse = (/** @type {Problem} */ problem) => {
    if (endsSession(problem.slug)) return wrong(problem);
    const field = ASKED.find((name) => name === problem.params.field);
    if (field && field !== "starts_at") {
      gap(field, true, problem.sentence);
      return input(field).focus();
    }
    if (field) void fetchTimes().then(() => gap(field, true, problem.sentence));
    put(part("book-problem"), problem.sentence);
    part("book-problem").focus();
  };

  // Send, or read first
  const send = /** @type {HTMLButtonElement} */ (form.querySelector('button[type="submit"]'));
  const label = /** @type {HTMLElement} */ (send.querySelector("[data-label]"));
  const ready = label.textContent || "";
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (send.getAttribute("aria-busy") === "true" || complain()) return;
    send.setAttribute("aria-busy", "true");
    put(part("book-problem"), "");
    const slow = setTimeout(() => { label.textContent = form.dataset.sending || ready; }, SLOW_MS);
    try {
      const answer = await post(url("url"), booking(), signal);
      location.assign(answer.next);
    } catch (error) {
      send.removeAttribute("aria-busy");
      label.textContent = ready;
      if (error instanceof Problem) refuse(error);
    } finally {
      clearTimeout(slow);
    }
  });
  const preview = part("preview");
  preview.addEventListener("click", async () => {
    if (complain()) return;
    try {
      const found = await post(url("preview"), booking(), signal);
      const letter = part("letter");
      for (const name of ["sent", "subject", "text"]) {
        const place = letter.querySelector(`[data-${name}]`);
        if (!place) continue;
        place.textContent = found[name];
        if (name !== "sent") place.setAttribute("lang", found.language);
      }
      letter.hidden = false;
      preview.setAttribute("aria-expanded", "true");
      letter.focus();
    } catch (error) {
      if (error instanceof Problem) refuse(error);
    }
  });
  part("close-letter").addEventListener("click", () => {
    part("letter").hidden = true;
    preview.setAttribute("aria-expanded", "false");
    preview.focus();
  });
}

/** @param {{icon: string, heading: string, text: string}} line @param {string} icons */
function fact(line, icons) {
  const item = document.createElement("li");
  const words = document.createElement("div");
  const heading = document.createElement("strong");
  heading.textContent = line.heading;
  const text = document.createElement("span");
  text.textContent = line.text;
  words.append(heading, text);
  item.append(icon(line.icon, icons), words);
  return item;
}

/** @param {string} name @param {string} icons the sprite's address */
function icon(name, icons) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `${icons}#i-${name}`);
  svg.append(use);
  return svg;
}
