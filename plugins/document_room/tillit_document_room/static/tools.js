// @ts-check
// What the adviser does with a document: decide who may see it, hide values, mark points, bring a new version.

import { button, field, make, tick } from "./dom.js";
import { picker } from "./sending.js";

/** @param {import("./panel.js").Room} room @param {any} document */
export function tools(room, document) {
  const { t } = room.api;
  const box = make("details", "fold dr-tools", make("summary", "", t("panel.tools")));
  box.open = room.opened.has(document.id) || hasUnsettled(document);
  box.addEventListener("toggle", () => { if (box.open) room.opened.add(document.id); else room.opened.delete(document.id); });
  box.append(make("div", "stack", sharing(room, document), marking(room, document), hiding(room, document), versions(room, document)));
  return box;
}

/** @param {import("./panel.js").Room} room @param {any} document */
function sharing(room, document) {
  const { api } = room;
  const change = (/** @type {object} */ how) => room.act("POST", `documents/${document.id}/share`, { visible_to: document.visible_to, released: document.released, downloadable: document.downloadable, ...how });
  return make("div", "dr-ticks",
    tick(api.t("panel.share.visible"), document.released, (released) => change({ released })),
    tick(api.t("panel.share.download"), document.downloadable, (downloadable) => change({ downloadable })));
}

/** @param {import("./panel.js").Room} room @param {any} document */
function marking(room, document) {
  const { api } = room;
  const page = room.viewer.at?.page ?? 1;
  const [title, words] = [make("input"), make("input")];
  title.maxLength = 120;
  title.required = true;
  words.maxLength = 200;
  const form = make("form", "stack-s", make("h4", "", api.t("panel.mark")), field(api.t("panel.mark.title"), title), field(api.t("panel.mark.words"), words, api.t("panel.mark.words.hint", { page })), make("div", "acts", submit(api.t("panel.mark.do"))));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    void room.act("POST", `documents/${document.id}/clauses`, { title: title.value, words: words.value, page: room.viewer.at?.page ?? 1 });
  });
  for (const clause of document.clauses) form.append(row(clause.title, api.t("panel.unmark"), last(room, () => room.act("DELETE", `documents/${document.id}/clauses/${clause.id}`))));
  return form;
}

/** @param {import("./panel.js").Room} room @param {any} document */
function hiding(room, document) {
  const { api } = room;
  const [value, instead] = [make("input"), make("input")];
  value.maxLength = 200;
  instead.maxLength = 60;
  /** @type {Set<string>} */ const from = new Set();
  const people = room.state.people.filter((/** @type {any} */ each) => each.capacity !== "adviser");
  const ticks = people.map((/** @type {any} */ each) => tick(each.person, false, (on) => { if (on) from.add(each.participant); else from.delete(each.participant); }));
  const send = async (/** @type {object} */ where) => {
    const answer = await room.act("POST", `documents/${document.id}/masks`, { instead: instead.value, hide_from: [...from], ...where });
    if (answer) api.notice(api.t("panel.hide.done", { places: answer.places }));
  };
  const area = button("line staff", [api.t("panel.hide.area")], () => room.draw((box, page) => send({ box, page })));
  const form = make("form", "stack-s", make("h4", "", api.t("panel.hide")), field(api.t("panel.hide.value"), value), field(api.t("panel.hide.instead"), instead));
  if (ticks.length) form.append(make("fieldset", "dr-ticks", make("legend", "small", api.t("panel.hide.from")), ...ticks));
  form.append(make("div", "acts", submit(api.t("panel.hide.do")), area), make("p", "small quiet", api.t("panel.hide.area.hint")));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    void send({ value: value.value });
  });
  if (hasUnsettled(document)) form.append(make("p", "small", api.t("panel.hide.unsettled", { version: document.version })));
  for (const mask of document.masks ?? []) {
    const path = `documents/${document.id}/masks/${mask.id}`;
    const made = row(mask.instead || api.t("panel.hide.count", { count: mask.places }), api.t("panel.unhide"), last(room, () => room.act("DELETE", path)));
    if (!mask.settled) made.append(button("line staff", [api.t("panel.hide.settle")], last(room, () => room.act("POST", `${path}/settled`, { version: document.version }))));
    form.append(made);
  }
  return form;
}

/** Whether the newest version waits for the adviser to look at what is hidden in it. @param {any} document */
export function hasUnsettled(document) {
  return (document.masks ?? []).some((/** @type {any} */ mask) => !mask.settled);
}

/** @param {import("./panel.js").Room} room @param {any} document */
function versions(room, document) {
  const { api } = room;
  return picker(room, {
    label: api.t("panel.version.add"), hint: api.t("panel.add.hint", { megabytes: room.state.limits.megabytes }), path: () => `documents/${document.id}/versions`,
    done: async (answer) => {
      const words = answer.unsettled ? "panel.version.unsettled" : "panel.version.added";
      api.notice(api.t(words, { version: answer.version, title: document.name }), { urgent: Boolean(answer.unsettled) });
      await room.refresh();
    },
  });
}

/** The button is gone once it has done its work: the focus goes to the document's title first. @param {import("./panel.js").Room} room @param {() => unknown} work */
function last(room, work) {
  return () => {
    room.viewer.title.focus({ preventScroll: true });
    return work();
  };
}

/** @param {string} words */
function submit(words) {
  const made = make("button", "btn line staff", words);
  made.type = "submit";
  return made;
}

/** @param {string} words @param {string} act @param {() => unknown} pressed */
function row(words, act, pressed) {
  return make("div", "dr-row", make("span", "", words), button("plain staff", [act, make("span", "hidden", ` ${words}`)], pressed));
}
