// @ts-check
// The customer, found while typing: a combobox with a list, after the ARIA Authoring Practices.

import { announce } from "../announce.js";
import { get, Problem } from "../api.js";
import { counted } from "../words.js";
import { put } from "./said.js";

/** @typedef {{id: string, name: string, locality: string}} Customer */

const PAUSE_MS = 150; // between two letters of somebody who types slowly
const LEAST_SIGNS = 2;

/** The place in a list after a key, round and round; -1 is the field itself. @param {number} at @param {string} key @param {number} length */
export function step(at, key, length) {
  if (!length) return -1;
  if (key === "ArrowDown") return (at + 1) % length;
  if (key === "ArrowUp") return at <= 0 ? length - 1 : at - 1;
  if (key === "Home") return 0;
  if (key === "End") return length - 1;
  return at;
}

/** How a customer stands in the field. @param {Customer} one */
export function shown(one) {
  return [one.name, one.locality].filter(Boolean).join(", ");
}

/**
 * @param {{field: HTMLInputElement, list: HTMLElement, problem: HTMLElement, url: string, signal: AbortSignal, chosen: (id: string) => void}} parts
 *   chosen: called with the customer's id, "" when the field no longer names one
 */
export function customerField({ field, list, problem, url, signal, chosen }) {
  /** @type {Customer[]} */
  let found = [];
  let active = -1;
  let asked = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let typing;

  const close = () => {
    // What was asked before no longer counts: a late answer must not open the list again under a choice that was made.
    asked += 1;
    clearTimeout(typing);
    list.hidden = true;
    active = -1;
    field.setAttribute("aria-expanded", "false");
    field.removeAttribute("aria-activedescendant");
  };
  const choose = (/** @type {Customer} */ one) => {
    field.value = shown(one);
    field.removeAttribute("aria-invalid");
    put(problem, "");
    close();
    chosen(one.id);
  };
  const mark = () => {
    for (const [index, item] of [...list.children].entries()) item.setAttribute("aria-selected", String(index === active));
    if (active < 0) return field.removeAttribute("aria-activedescendant");
    field.setAttribute("aria-activedescendant", `customer-${active}`);
    list.children[active].scrollIntoView({ block: "nearest" });
  };
  const show = () => {
    list.replaceChildren(...found.map((one, index) => option(one, index, choose)));
    list.hidden = !found.length;
    field.setAttribute("aria-expanded", String(Boolean(found.length)));
    mark();
  };
  const search = async () => {
    const words = field.value.trim();
    const mine = ++asked;
    if (words.length < LEAST_SIGNS) return close();
    try {
      const answer = await get(`${url}?q=${encodeURIComponent(words)}`, signal);
      if (mine !== asked || document.activeElement !== field) return;
      found = answer;
    } catch (error) {
      if (error instanceof Problem && mine === asked) put(problem, error.sentence);
      return;
    }
    active = -1;
    show();
    put(problem, found.length ? "" : problem.dataset.none || "");
    const { one = "", other = "" } = field.dataset;
    announce(found.length ? counted({ one, other }, found.length, document.documentElement.lang) : problem.dataset.none || "");
  };

  field.addEventListener("input", () => {
    chosen("");
    asked += 1; // what was asked before no longer counts
    clearTimeout(typing);
    typing = setTimeout(() => void search(), PAUSE_MS);
  });
  field.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" && list.hidden && found.length && field.value.trim()) show();
    if (list.hidden) return;
    if (["ArrowDown", "ArrowUp"].includes(event.key)) {
      event.preventDefault();
      active = step(active, event.key, found.length);
      mark();
    } else if (event.key === "Enter") {
      event.preventDefault();
      choose(found[Math.max(active, 0)]);
    } else if (event.key === "Escape") {
      event.preventDefault();
      close();
    } else if (event.key === "Tab" && active >= 0) choose(found[active]);
  });
  field.addEventListener("blur", close);
}

/** @param {Customer} one @param {number} index @param {(one: Customer) => void} choose */
function option(one, index, choose) {
  const item = document.createElement("li");
  item.id = `customer-${index}`;
  item.setAttribute("role", "option");
  const name = document.createElement("strong");
  name.textContent = one.name;
  const where = document.createElement("span");
  where.className = "small quiet";
  where.textContent = one.locality;
  item.append(name, where);
  item.addEventListener("mousedown", (event) => { event.preventDefault(); choose(one); });
  return item;
}
