// @ts-check
// What every part of the page may use. main.js makes it; nothing else is shared between the parts.

/**
 * @typedef {object} Question
 * @property {string} title
 * @property {string} text what will happen
 * @property {string} stay the way back, where the focus is
 * @property {string} go the act itself
 */

/**
 * @typedef {object} Hub
 * @property {import("./texts.js").Say} t
 * @property {string} language
 * @property {() => import("./state.js").Room} room the newest state
 * @property {(path: string, body?: unknown, refused?: (problem: Problem) => boolean) => Promise<Record<string, any> | null>} act asks the server; a refusal is shown, unless refused has shown it elsewhere, and null is returned
 * @property {(sentence: string, options?: {urgent?: boolean}) => () => void} answer shows a sentence above the buttons until it is put away, and says it; returns what takes it back once it is untrue
 * @property {(sentence: string) => void} say for screen readers, in turn
 * @property {(sentence: string) => void} alarm for screen readers, at once
 * @property {(question: Question) => Promise<boolean>} ask asks once, with the focus on staying
 */

import { ask as request, Problem } from "../api.js";
import { byId, one, write } from "./dom.js";
import { Notices } from "./notices.js";

/**
 * The one question box. A second question while it is open is answered no: never a box on a box.
 * @returns {(question: Question) => Promise<boolean>}
 */
export function asker() {
  const box = /** @type {HTMLDialogElement} */ (byId("ask"));
  const stay = one(box, "[data-stay]");
  const go = one(box, "[data-go]");
  stay.addEventListener("click", () => box.close("stay"));
  go.addEventListener("click", () => box.close("go"));
  return ({ title, text, stay: back, go: act }) => {
    if (box.open) return Promise.resolve(false);
    write(one(box, "h2"), title);
    write(one(box, "p"), text);
    write(one(stay, "span"), back);
    write(one(go, "span"), act);
    box.returnValue = "stay";
    box.showModal();
    stay.focus();
    return new Promise((resolve) => box.addEventListener("close", () => resolve(box.returnValue === "go"), { once: true }));
  };
}

/**
 * @param {object} page
 * @param {import("./texts.js").Say} page.t
 * @param {string} page.language
 * @param {string} page.base the address every act begins with
 * @param {AbortSignal} page.signal ends with the page
 * @param {import("./lines.js").Lines} page.lines
 * @param {() => import("./state.js").Room} page.room
 * @returns {Hub}
 */
export function makeHub({ t, language, base, signal, lines, room }) {
  const notices = new Notices({
    polite: into("announce"), urgent: into("alarm"), now: () => performance.now(), later: (act, delay) => void setTimeout(act, delay),
  });
  let forgive = () => {}; // puts the last refusal away
  /** @type {Hub} */
  const hub = {
    t, language, room,
    ask: asker(),
    say: (sentence) => notices.say(sentence),
    alarm: (sentence) => notices.alarm(sentence),
    answer(sentence, { urgent = false } = {}) {
      lines.show("answer", sentence);
      if (urgent) notices.alarm(sentence);
      else notices.say(sentence, { again: true });
      return () => lines.forget("answer", sentence);
    },
    async act(path, body = {}, refused = () => false) {
      try {
        const found = (await request(`${base}/room/${path}`, { method: "POST", body, signal })) ?? {};
        forgive();
        return found;
      } catch (error) {
        if (!(error instanceof Problem)) return null;
        forgive();
        if (!refused(error)) forgive = hub.answer(error.sentence);
        return null;
      }
    },
  };
  return hub;
}

/** Write into a live region; an unchanged text is not read again, so it is emptied first. @param {string} id */
const into = (id) => (/** @type {string} */ sentence) => {
  const region = byId(id);
  region.textContent = "";
  setTimeout(() => { region.textContent = sentence; }, 30);
};
