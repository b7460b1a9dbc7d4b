// @ts-check
// Written words beside the talk. What somebody wrote is shown as text and nothing else.

import { byId, keep, make, one } from "./dom.js";
import { clock } from "./clock.js";
import { may } from "./state.js";

export class Chat {
  #hub;
  #log = byId("chat-log");
  #well = byId("chat-well");
  #field = /** @type {HTMLTextAreaElement} */ (byId("chat-text"));
  /** @type {() => boolean} */ #shown;
  #read = 0;
  #sending = false;

  /** @param {import("./hub.js").Hub} hub @param {() => boolean} shown whether the panel is open */
  constructor(hub, shown) {
    this.#hub = hub;
    this.#shown = shown;
    this.#read = hub.room().chat?.length ?? 0;
    const form = byId("chat-form");
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#send();
    });
    this.#field.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      void this.#send();
    });
    one(document, '[data-panel="chat"]').addEventListener("panelshown", () => {
      this.update();
      this.#well.scrollTop = this.#well.scrollHeight;
    });
  }

  /** Messages of others since the panel was last open. */
  get unread() {
    const { chat = [], me } = this.#hub.room();
    return chat.slice(this.#read).filter(({ from }) => from !== me.id).length;
  }

  update() {
    const { chat = [], me } = this.#hub.room();
    const { t } = this.#hub;
    const atEnd = this.#well.scrollHeight - this.#well.scrollTop - this.#well.clientHeight < 40;
    byId("chat-none").hidden = chat.length > 0;
    byId("chat-form").hidden = !may(this.#hub.room(), "chat");
    keep(this.#log, chat, ({ id }) => id, ({ from, name, at, text }) => {
      const when = make("time", "quiet small num", clock(new Date(at), t("clock.separator")));
      when.dateTime = at;
      return make("li", from === me.id ? "mine" : "", make("p", "from", make("b", "", from === me.id ? t("you") : name), " ", when), make("p", "said", text));
    });
    if (this.#shown()) {
      this.#read = chat.length;
      if (atEnd) this.#well.scrollTop = this.#well.scrollHeight;
    }
  }

  async #send() {
    const text = this.#field.value.trim();
    if (text === "") {
      this.#hub.answer(this.#hub.t("chat.empty"));
      this.#field.focus();
      return;
    }
    if (this.#sending) return;
    this.#sending = true;
    try {
      // A message that did not get through stays in the field.
      if (await this.#hub.act("chat", { text })) this.#field.value = "";
    } finally {
      this.#sending = false;
    }
  }
}
