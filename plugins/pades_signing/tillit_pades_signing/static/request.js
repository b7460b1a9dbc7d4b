// @ts-check
// The adviser asks: which documents, which people in which order, or the approval of an amount.

import { el } from "./dom.js";

/**
 * @param {any} api @param {HTMLElement} place @param {{people: any[], documents: any[], approvers: number, decimals: Record<string, number>}} state @param {() => void} sent
 */
export function request(api, place, state, sent) {
  const now = JSON.stringify([state.people, state.documents]);
  if (place.dataset.drawn === now || place.contains(document.activeElement)) return; // somebody is typing in it
  place.dataset.drawn = now;
  const { t } = api;
  place.replaceChildren(form(api, state, "sign", sent), state.people.some((each) => each.approve) ? form(api, state, "approve", sent) : "");
  place.querySelectorAll("summary").forEach((each) => (each.className = "btn line wide staff"));
  void t;
}

/** @param {any} api @param {{people: any[], documents: any[], approvers: number, decimals: Record<string, number>}} state @param {"sign" | "approve"} act @param {() => void} sent */
function form(api, state, act, sent) {
  const { t } = api;
  const id = (/** @type {string} */ name) => `new-${act}-${name}`;
  const people = state.people.filter((each) => each[act === "sign" ? "sign" : "approve"]);
  const { approvers } = state;
  if (act === "approve" && people.length < approvers) {
    return el("details", { class: "new" }, el("summary", {}, t("panel.new.approve")), el("p", { class: "note caution" }, api.icon("info"), el("span", {}, t("panel.new.too_few", { least: approvers }))));
  }
  const input = (/** @type {string} */ name, /** @type {Record<string, string>} */ more = {}) => el("input", { id: id(name), name, type: "text", ...more });
  const field = (/** @type {string} */ name, /** @type {string} */ label, /** @type {HTMLElement} */ control) =>
    el("div", { class: "field" }, el("label", { for: id(name) }, label), control);
  const choice = (/** @type {string} */ name, /** @type {string} */ value, /** @type {string} */ words, /** @type {boolean} */ on) =>
    el("label", { class: "check" }, el("input", { type: "checkbox", name, value, checked: on }), el("span", {}, words));
  const parts = [field("title", t("panel.new.name"), input("title", { maxlength: "200", required: "" }))];
  if (state.documents.length) {
    parts.push(el("fieldset", { class: "field" }, el("legend", {}, t("panel.new.documents")),
      ...state.documents.map((each) => choice("documents", each.id, t("panel.document", each), act === "sign" && state.documents.length === 1))));
  }
  parts.push(el("fieldset", { class: "field" }, el("legend", {}, t("panel.new.people")), ...people.map((each) => choice("people", each.participant, each.name, true))));
  if (act === "sign") parts.push(choice("in_turn", "yes", t("panel.new.in_turn"), false));
  else {
    parts.push(
      field("money", t("panel.new.money"), input("money", { inputmode: "numeric", required: "" })),
      field("currency", t("panel.new.currency"), input("currency", { maxlength: "3", value: "SEK" })),
      field("needed", t("panel.new.needed"), input("needed", { type: "number", min: String(approvers), max: String(people.length), value: String(people.length) })));
    if (approvers > 1) parts.push(el("p", { class: "hint" }, t("panel.new.least", { least: approvers })));
  }
  parts.push(
    field("deadline", t("panel.deadline"), input("deadline", { type: "datetime-local", "aria-describedby": id("deadline-hint") })),
    el("p", { class: "hint", id: id("deadline-hint") }, t("panel.new.deadline_hint")),
    field("text", t(act === "sign" ? "panel.new.text" : "panel.new.text_approve"), el("textarea", { id: id("text"), name: "text", rows: "3", maxlength: "4000" })),
    el("p", { class: "problem", role: "alert", hidden: true }),
    el("button", { class: "btn main", type: "submit" }, t("panel.new.send")));
  const made = /** @type {HTMLFormElement} */ (el("form", { class: "stack", novalidate: true }, ...parts));
  made.addEventListener("submit", (event) => {
    event.preventDefault();
    void send(api, made, act, state.decimals, sent);
  });
  return el("details", { class: "new" }, el("summary", {}, t(act === "sign" ? "panel.new.title" : "panel.new.approve")), made);
}

/** How many of the smallest unit that is: a yen has none below it, a dinar has a thousand. @param {number} money @param {number} [decimals] */
export const smallest = (money, decimals = 2) => Math.round(money * 10 ** decimals);

/**
 * @param {any} api @param {HTMLFormElement} made @param {"sign" | "approve"} act @param {Record<string, number>} decimals of currencies where they are not two
 * @param {() => void} sent
 */
async function send(api, made, act, decimals, sent) {
  const data = new FormData(made);
  const problem = /** @type {HTMLElement} */ (made.querySelector(".problem"));
  const tell = (/** @type {string} */ words) => {
    problem.textContent = words;
    problem.hidden = !words;
  };
  const people = data.getAll("people");
  const documents = data.getAll("documents");
  if (!people.length || (act === "sign" && !documents.length) || !String(data.get("title")).trim()) return tell(api.t(act === "sign" ? "panel.new.none" : "panel.new.none_approve"));
  const money = Number(String(data.get("money") ?? "").replace(/\s/gu, ""));
  if (act === "approve" && !(money > 0)) return tell(api.t("panel.new.none_approve"));
  const currency = String(data.get("currency") ?? "").trim().toUpperCase();
  const until = String(data.get("deadline") ?? "");
  const body = {
    act,
    ...(until ? { deadline: new Date(until).toISOString().replace(/\.\d+Z$/u, "Z") } : {}),
    title: data.get("title"),
    text: data.get("text"),
    documents,
    parties: people.map((participant, at) => ({ participant, turn: data.get("in_turn") ? at + 1 : 1 })),
    ...(act === "approve" ? { amount: { minor: smallest(money, decimals[currency]), currency }, needed: Number(data.get("needed")) } : {}),
  };
  try {
    await api.fetchJson("POST", "signings", body);
    made.reset();
    tell("");
    /** @type {HTMLDetailsElement} */ (made.parentElement).open = false;
    sent();
  } catch (error) {
    tell(/** @type {any} */ (error).sentence ?? api.t("panel.lost"));
  }
}
