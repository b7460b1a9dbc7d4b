// @ts-check
// The "More" menu: it holds only what this person may do, and says in words what is not there.

import { byId, icon, keep, make, one, redraw, rove, write } from "./dom.js";
import { isStaff, may, mayAny, refusal, self, waiting } from "./state.js";

/**
 * @typedef {object} Item
 * @property {string} id
 * @property {string} picture
 * @property {string} word
 * @property {boolean} [ticked] a choice that is on or off
 * @property {string} [panel] the panel it opens
 * @property {boolean} [refused] it stays in its place and answers with a sentence
 */

/**
 * What the menu holds for this person, in its fixed order.
 * @param {import("./state.js").Room} room
 * @param {{roles: boolean, unread: number, plugins?: Item[], tiles?: boolean}} page tiles: people are on tiles of ours
 * @param {import("./texts.js").Say} t
 * @returns {Item[]}
 */
export function items(room, { roles, unread, plugins = [], tiles = true }, t) {
  const count = waiting(room).length;
  /** @type {(Item | false)[]} */
  const all = [
    may(room, "raise_hand") && { id: "hand", picture: "hand", word: t(self(room).hand ? "menu.hand_down" : "menu.hand_up") },
    may(room, "chat") && { id: "chat", picture: "chat", word: unread ? t("menu.chat_unread", { count: unread }) : t("menu.chat"), panel: "chat" },
    { id: "people", picture: "users", word: count ? t("menu.people_waiting", { count }) : t("menu.people"), panel: "people" },
    ...plugins,
    may(room, "invite_guest") && { id: "guests", picture: "plus", word: t("menu.guests"), panel: "guests" },
    may(room, "raise_security") && { id: "security", picture: "shield", word: t("menu.security"), panel: "security" },
    room.meeting.encryption === "strict" && { id: "encryption", picture: "lock", word: t("menu.encryption"), panel: "encryption" },
    isStaff(room) && { id: "record", picture: may(room, "record") ? "rec" : "norec", word: t("menu.record"), refused: !may(room, "record"), ...(may(room, "record") ? { panel: "recording" } : {}) },
    { id: "settings", picture: "sound", word: t("menu.settings"), panel: "settings" },
    tiles && { id: "roles", picture: "user", word: t("menu.roles"), ticked: roles },
    { id: "keys", picture: "list", word: t("menu.keys"), panel: "keys" },
    may(room, "end_meeting") && { id: "end", picture: "door", word: t("menu.end") },
  ];
  return all.filter((item) => item !== false);
}

/**
 * What is not in the menu, and why: the sentences stand at its foot.
 * @param {import("./state.js").Room} room
 */
export function absent(room) {
  const sharing = ["share_window", "share_screen"];
  return [may(room, "record") ? "" : refusal(room, ["record"]), mayAny(room, sharing) ? "" : refusal(room, sharing)]
    .filter((sentence, index, all) => sentence && all.indexOf(sentence) === index);
}

export class Menu {
  #button = byId("more");
  #box = byId("menu");
  #list = byId("menu-items");
  #why = byId("menu-why");
  #hub;
  #press;

  /** @param {import("./hub.js").Hub} hub @param {(id: string, opener: HTMLElement) => void} press */
  constructor(hub, press) {
    this.#hub = hub;
    this.#press = press;
    rove(this.#list, '[role^="menuitem"]');
    this.#button.addEventListener("click", () => this.toggle());
    this.#button.addEventListener("keydown", (event) => {
      if (event.key !== "ArrowUp" && event.key !== "ArrowDown") return;
      event.preventDefault();
      event.stopPropagation();
      this.#open(event.key === "ArrowUp" ? -1 : 0);
    });
    this.#list.addEventListener("keydown", (event) => {
      if (event.key === "Tab") this.close(false);
      else if (event.key.length === 1 && event.key !== " ") this.#seek(event.key);
    });
    document.addEventListener("pointerdown", ({ target }) => {
      if (this.isOpen && !this.#box.contains(/** @type {Node} */ (target)) && !this.#button.contains(/** @type {Node} */ (target))) this.close(false);
    });
  }

  get isOpen() {
    return !this.#box.hidden;
  }

  toggle() {
    if (this.isOpen) this.close();
    else this.#open(0);
  }

  /** @param {boolean} [back] the focus goes back to the button */
  close(back = true) {
    if (!this.isOpen) return;
    this.#box.hidden = true;
    this.#button.setAttribute("aria-expanded", "false");
    if (back) this.#button.focus();
  }

  /** @param {{roles: boolean, unread: number, plugins?: Item[], tiles?: boolean}} page */
  update(page) {
    const { room, t } = this.#hub;
    keep(this.#list, items(room(), page, t), ({ id }) => id, (item) => this.#row(item), (row, { picture, word, ticked, refused }) => {
      const button = /** @type {HTMLElement} */ (row.firstElementChild);
      write(one(button, "span"), word);
      redraw(one(button, "svg"), ticked ? "check" : picture);
      if (ticked !== undefined) button.setAttribute("aria-checked", String(ticked));
      if (refused !== undefined) button.setAttribute("aria-disabled", String(refused));
    });
    const sentences = absent(room());
    keep(this.#why, sentences, (sentence) => sentence, (sentence) => make("li", "why", icon("info"), make("span", "", sentence)));
    this.#why.hidden = sentences.length === 0;

    const count = waiting(room()).length + page.unread;
    const badge = one(this.#button, ".badge");
    badge.hidden = count === 0;
    write(badge, String(count));
    write(one(this.#button, "[data-news]"), count ? t("menu.news", { count }) : "");
  }

  /** @param {Item} item */
  #row({ id, picture, word, ticked }) {
    const button = make("button", "", icon(picture), make("span", "", word));
    button.type = "button";
    button.tabIndex = -1;
    button.setAttribute("role", ticked === undefined ? "menuitem" : "menuitemcheckbox");
    button.addEventListener("click", () => {
      this.close();
      this.#press(id, this.#button);
    });
    const row = make("li", "", button);
    row.setAttribute("role", "none");
    return row;
  }

  /** @param {number} at 0 the first item, -1 the last */
  #open(at) {
    this.#box.hidden = false;
    this.#button.setAttribute("aria-expanded", "true");
    /** @type {HTMLElement | undefined} */ ([...this.#list.querySelectorAll("button")].at(at))?.focus();
  }

  /** Go to the next item that begins with a letter. @param {string} letter */
  #seek(letter) {
    const all = [...this.#list.querySelectorAll("button")];
    const at = all.indexOf(/** @type {HTMLButtonElement} */ (document.activeElement));
    const turned = [...all.slice(at + 1), ...all.slice(0, at + 1)];
    turned.find((button) => button.textContent?.trim().toLocaleLowerCase().startsWith(letter.toLocaleLowerCase()))?.focus();
  }
}
