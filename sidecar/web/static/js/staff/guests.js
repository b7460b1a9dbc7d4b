// @ts-check
// A guest's five answers: what is missing is named at its field, and the server says whether link and code stay apart.

import { post, Problem } from "../api.js";
import { put, wrong, endsSession } from "./said.js";

/** @typedef {{name: string, capacity: string, email: string, phone: string, national_id: string}} Guest */

const FIELDS = /** @type {const} */ (["name", "email", "phone", "national_id"]);

/**
 * Which of a guest's answers are missing, in reading order.
 * @param {Guest} guest @param {boolean} needsId the meeting asks for an electronic ID, else for a code by text message
 * @returns {string[]}
 */
export function gaps(guest, needsId) {
  const lacking = [];
  if (!guest.name.trim()) lacking.push("name");
  if (!/^[^\s@]+@[^\s@]+$/.test(guest.email.trim())) lacking.push("email");
  if (needsId ? !guest.national_id.trim() : !guest.phone.trim()) lacking.push(needsId ? "national_id" : "phone");
  return lacking;
}

/** Where a problem of the server belongs: the field it names, "" for the whole guest. @param {Record<string, unknown>} params */
export function fieldOf(params) {
  const field = String(params.field || "");
  return FIELDS.some((name) => name === field) ? field : "";
}

/**
 * @param {{box: HTMLElement, check: string, type: () => string, needsId: () => boolean, signal: AbortSignal,
 *   keep: (guest: Guest) => void | Promise<void>}} parts keep: called with a guest the server would invite
 */
export function guestForm({ box, check, type, needsId, signal, keep }) {
  /** @param {string} name @returns {HTMLInputElement} */
  const input = (name) => /** @type {HTMLInputElement} */ (box.querySelector(`#g-${name}`));
  const whole = box.querySelector("#guest-problem");
  const say = (/** @type {string} */ name, /** @type {boolean} */ wrong, /** @type {string} */ sentence) => {
    const gap = /** @type {HTMLElement | null} */ (box.querySelector(`#g-${name}-problem`));
    put(gap, wrong ? sentence || gap?.dataset.missing || "" : "");
    if (wrong) input(name).setAttribute("aria-invalid", "true");
    else input(name).removeAttribute("aria-invalid");
  };
  const read = () => /** @type {Guest} */ ({
    name: input("name").value.trim(), capacity: input("capacity").value, email: input("email").value.trim(),
    phone: input("phone").value.trim(), national_id: input("national_id").value.trim(),
  });
  const complain = (/** @type {string[]} */ lacking, sentence = "") => {
    for (const name of FIELDS) say(name, lacking.includes(name), sentence);
    if (lacking.length) input(lacking[0]).focus();
    return lacking.length > 0;
  };
  const fillIn = (/** @type {Partial<Guest>} */ guest) => {
    for (const name of FIELDS) input(name).value = guest[name] || "";
    if (guest.capacity) input("capacity").value = guest.capacity;
    complain([]);
    put(whole, "");
  };

  box.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !(event.target instanceof HTMLInputElement)) return;
    event.preventDefault(); // Enter keeps the guest; it must not send the whole booking
    /** @type {HTMLButtonElement} */ (box.querySelector("#keep-guest")).click();
  });
  let sending = false;
  box.querySelector("#keep-guest")?.addEventListener("click", async () => {
    const guest = read();
    put(whole, "");
    if (complain(gaps(guest, needsId())) || sending) return;
    sending = true; // a second press while the server is asked would bring the same guest twice
    try {
      await post(check, { type: type(), ...guest }, signal);
      await keep(guest);
      fillIn({});
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      const field = fieldOf(error.params);
      if (field) complain([field], error.sentence);
      else if (endsSession(error.slug)) wrong(error);
      else {
        put(whole, error.sentence);
        input("phone").setAttribute("aria-invalid", "true");
        input("phone").focus();
      }
    } finally {
      sending = false;
    }
  });
  return {
    open: (/** @type {Guest | null} */ guest = null) => {
      box.hidden = false;
      if (guest) {
        fillIn(guest);
        complain(gaps(guest, needsId()));
      } else input("name").focus();
    },
    close: () => { box.hidden = true; },
  };
}
