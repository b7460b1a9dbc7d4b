// @ts-check
// The adviser asks: which documents, which people in which order and which way, or the approval of an amount.

import { button, el } from "./dom.js";

/** @typedef {"sign" | "approve"} Act */
/** @typedef {{id: string, name: string, version: number}} Paper */
/** @typedef {{participant: string, name: string, staff: boolean, sign: boolean, approve: boolean, ways: {kind: string, title: string}[]}} Person */
/** @typedef {{people: Person[], documents: Paper[], approvers: number, decimals: Record<string, number>}} Asked what may be asked for */
/** @typedef {{participant: string, way: string, documents: string[]}} Chosen one who is asked. way: "" where they choose */

/** @type {WeakMap<HTMLElement, Asked>} what may be asked for by now, by place: what is drawn there may be older */
const newest = new WeakMap();

/**
 * @param {any} api @param {HTMLElement} place @param {Asked} state @param {() => void} sent
 */
export function request(api, place, state, sent) {
  newest.set(place, state);
  const focused = place.contains(document.activeElement) ? document.activeElement : null;
  if (place.dataset.drawn === drawnFrom(state) || focused?.closest("details[open]")) return; // somebody is typing in it
  const act = focused?.closest("details")?.dataset.act;
  draw(api, place, sent);
  if (act) focus(place, act);
}

/** @param {Asked} state */
const drawnFrom = (state) => JSON.stringify([state.people, state.documents]);

/** @param {any} api @param {HTMLElement} place @param {() => void} sent */
function draw(api, place, sent) {
  const state = /** @type {Asked} */ (newest.get(place));
  place.dataset.drawn = drawnFrom(state);
  const made = (/** @type {Act} */ act) => {
    const details = form(api, state, act, () => {
      draw(api, place, sent);
      focus(place, act);
      sent();
    });
    details.dataset.act = act;
    details.querySelectorAll("summary").forEach((each) => (each.className = "btn line wide staff"));
    return details;
  };
  place.replaceChildren(made("sign"), state.people.some((each) => each.approve) ? made("approve") : "");
}

/** @param {HTMLElement} place @param {string} act */
function focus(place, act) {
  /** @type {HTMLElement | null} */ (place.querySelector(`[data-act=${act}] summary`))?.focus();
}

/** @param {any} api @param {Asked} state @param {Act} act @param {() => void} sent */
function form(api, state, act, sent) {
  const { t } = api;
  const id = (/** @type {string} */ name) => `new-${act}-${name}`;
  const people = state.people.filter((each) => each[act]);
  const { approvers } = state;
  if (act === "approve" && people.filter((each) => waysTo(each, act).length).length < approvers) {
    return el("details", { class: "new" }, el("summary", {}, t("panel.new.approve")), el("p", { class: "note caution" }, api.icon("info"), el("span", {}, t("panel.new.too_few", { least: approvers }))));
  }
  const only = act === "sign" && state.documents.length === 1 ? state.documents[0] : null;
  const input = (/** @type {string} */ name, /** @type {Record<string, string>} */ more = {}) => el("input", { id: id(name), name, type: "text", ...more });
  const field = (/** @type {string} */ name, /** @type {string} */ label, /** @type {HTMLElement} */ control) =>
    el("div", { class: "field" }, el("label", { for: id(name) }, label), control);
  const parts = [field("title", t("panel.new.name"), input("title", { maxlength: "200", required: "", value: only ? only.name.replace(/\.pdf$/iu, "") : "" }))];
  if (state.documents.length) {
    parts.push(el("fieldset", { class: "field" }, el("legend", {}, t("panel.new.documents")),
      ...state.documents.map((each) => choice("documents", each.id, t("panel.document", each), each === only))));
  }
  if (people.length > 1) parts.push(choice("in_turn", "yes", t("panel.new.in_turn"), false));
  const rows = el("ol", { class: "asked" });
  rows.append(...people.map((each) => row(api, each, state.documents, { act, rows, id: id(each.participant) })));
  parts.push(el("fieldset", { class: "field" }, el("legend", {}, t("panel.new.people")), rows));
  if (act === "approve") {
    parts.push(
      field("money", t("panel.new.money"), input("money", { inputmode: "numeric", required: "" })),
      field("currency", t("panel.new.currency"), input("currency", { maxlength: "3", value: "SEK" })),
      field("needed", t("panel.new.needed"), input("needed", { type: "number", min: String(approvers) })));
    if (approvers > 1) parts.push(el("p", { class: "hint" }, t("panel.new.least", { least: approvers })));
  }
  parts.push(
    field("deadline", t("panel.deadline"), input("deadline", { type: "datetime-local", "aria-describedby": id("deadline-hint") })),
    el("p", { class: "hint", id: id("deadline-hint") }, t("panel.new.deadline_hint")),
    field("text", t(act === "sign" ? "panel.new.text" : "panel.new.text_approve"), el("textarea", { id: id("text"), name: "text", rows: "3", maxlength: "4000" })),
    el("p", { class: "problem", role: "alert", hidden: true }),
    el("button", { class: "btn main", type: "submit" }, t("panel.new.send")));
  const made = /** @type {HTMLFormElement} */ (el("form", { class: "stack", novalidate: true }, ...parts));
  made.addEventListener("change", () => follow(made));
  made.addEventListener("submit", (event) => {
    event.preventDefault();
    void send(api, made, act, state.decimals, sent);
  });
  follow(made);
  return el("details", { class: "new" }, el("summary", {}, t(act === "sign" ? "panel.new.title" : "panel.new.approve")), made);
}

/** The ways somebody can do it: an approval is given with an eID. @param {Person} each @param {Act} act */
const waysTo = (each, act) => each.ways.filter(({ kind }) => act === "sign" || kind === "eid");

/** @param {string} name @param {string} value @param {string} words @param {boolean} on @param {boolean} [off] cannot be chosen */
const choice = (name, value, words, on, off = false) =>
  el("label", { class: "check" }, el("input", { type: "checkbox", name, value, checked: on, disabled: off }), el("span", {}, words));

/**
 * One who can be asked, the bank's own left out until chosen: whether, in which place, which way, for which documents.
 * @param {any} api @param {Person} each @param {Paper[]} documents @param {{act: Act, rows: HTMLElement, id: string}} where
 */
function row(api, each, documents, { act, rows, id }) {
  const { t } = api;
  const ways = waysTo(each, act);
  const asked = choice("people", each.participant, each.name, ways.length > 0 && !each.staff, ways.length === 0);
  const move = (/** @type {"up" | "down"} */ way) => button(t(`panel.new.${way}`), "plain staff", () => moved(api, each.name, made, rows, way), el("span", { class: "hidden" }, `${each.name}: `));
  const order = el("div", { class: "acts", "data-order": true, hidden: true }, move("up"), move("down"));
  const how = el("div", { class: "field", "data-how": true });
  if (ways.length > 1) {
    const options = [{ kind: "", title: t("panel.new.any") }, ...ways].map(({ kind, title }) => el("option", { value: kind }, title));
    how.append(el("label", { for: `${id}-way` }, t("panel.new.way", each)), el("select", { id: `${id}-way`, name: "way" }, ...options));
  } else how.append(el("p", { class: "hint" }, ways.length ? ways[0].title : t("panel.new.no_way", each)));
  const own = el("fieldset", { class: "field", "data-own": true, hidden: true }, el("legend", {}, t("panel.new.which", each)),
    ...documents.map((paper) => choice("own", paper.id, t("panel.document", paper), true)));
  const made = el("li", {}, asked, order, how, own);
  return made;
}

/**
 * Move one who is asked a place among those who are, and say where they stand now. The other one is what moves, so that the focus stays.
 * @param {any} api @param {string} name @param {HTMLElement} made @param {HTMLElement} rows @param {"up" | "down"} way
 */
function moved(api, name, made, rows, way) {
  const asked = () => [...rows.children].filter((each) => ticked(each, "people").length > 0);
  const beside = asked()[asked().indexOf(made) + (way === "up" ? -1 : 1)];
  if (beside && way === "up") made.after(beside);
  else if (beside) made.before(beside);
  api.announce(api.t("panel.new.moved", { name, at: asked().indexOf(made) + 1, of: asked().length }));
}

/** Show what the choices so far leave to choose: places where order counts, documents of one's own among several, how many are needed. @param {HTMLFormElement} made */
function follow(made) {
  const among = ticked(made, "documents");
  const needed = /** @type {HTMLInputElement | null} */ (made.querySelector("[name=needed]"));
  if (needed) {
    const asked = ticked(made, "people").length;
    if (needed.value === needed.max || Number(needed.value) > asked) needed.value = String(asked); // all of them, until fewer are chosen
    needed.max = String(asked);
  }
  const inTurn = ticked(made, "in_turn").length > 0;
  made.querySelector(".asked")?.classList.toggle("in-turn", inTurn);
  for (const each of made.querySelectorAll(".asked > li")) {
    const asked = ticked(each, "people").length > 0;
    const show = (/** @type {string} */ part, /** @type {boolean} */ on) => (/** @type {HTMLElement} */ (each.querySelector(`[data-${part}]`)).hidden = !on);
    show("order", inTurn && asked);
    show("how", asked || !each.querySelector("select"));
    show("own", asked && among.length > 1);
    for (const paper of /** @type {NodeListOf<HTMLInputElement>} */ (each.querySelectorAll("[name=own]"))) {
      /** @type {HTMLElement} */ (paper.parentElement).hidden = !among.includes(paper.value);
    }
  }
}

/** The values of the boxes of this name that are ticked. @param {ParentNode} root @param {string} name */
const ticked = (root, name) => [.../** @type {NodeListOf<HTMLInputElement>} */ (root.querySelectorAll(`[name=${name}]:checked`))].map(({ value }) => value);

/** Those who are asked, in the order they stand. @param {HTMLFormElement} made @param {string[]} among the documents of the signing @returns {Chosen[]} */
function chosen(made, among) {
  return [...made.querySelectorAll(".asked > li")].flatMap((each) =>
    ticked(each, "people").map((participant) => ({
      participant,
      way: each.querySelector("select")?.value ?? "",
      documents: ticked(each, "own").filter((id) => among.includes(id)),
    })));
}

/** The parties as the server takes them: what is nobody's own choice is left to it. @param {Chosen[]} people @param {string[]} among @param {boolean} inTurn */
export const parties = (people, among, inTurn) =>
  people.map(({ participant, way, documents }, at) => ({
    participant,
    turn: inTurn ? at + 1 : 1,
    ...(way ? { methods: [way] } : {}),
    ...(documents.length < among.length ? { documents } : {}),
  }));

/** Whether each person has a document and each document a person. @param {Chosen[]} people @param {string[]} among */
export const matched = (people, among) =>
  !among.length || (people.every(({ documents }) => documents.length > 0) && among.every((id) => people.some(({ documents }) => documents.includes(id))));

/** How many of the smallest unit that is: a yen has none below it, a dinar has a thousand. @param {number} money @param {number} [decimals] */
export const smallest = (money, decimals = 2) => Math.round(money * 10 ** decimals);

/**
 * @param {any} api @param {HTMLFormElement} made @param {Act} act @param {Record<string, number>} decimals of currencies where they are not two
 * @param {() => void} sent
 */
async function send(api, made, act, decimals, sent) {
  const data = new FormData(made);
  const problem = /** @type {HTMLElement} */ (made.querySelector(".problem"));
  const tell = (/** @type {string} */ words) => {
    problem.textContent = words;
    problem.hidden = !words;
  };
  const documents = ticked(made, "documents");
  const people = chosen(made, documents);
  if (!people.length || (act === "sign" && !documents.length) || !String(data.get("title")).trim()) return tell(api.t(act === "sign" ? "panel.new.none" : "panel.new.none_approve"));
  if (!matched(people, documents)) return tell(api.t("panel.new.unmatched"));
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
    parties: parties(people, documents, Boolean(data.get("in_turn"))),
    ...(act === "approve" ? { amount: { minor: smallest(money, decimals[currency]), currency }, needed: Number(data.get("needed")) } : {}),
  };
  try {
    await api.fetchJson("POST", "signings", body);
    sent();
  } catch (error) {
    tell(/** @type {any} */ (error).sentence ?? api.t("panel.lost"));
  }
}
