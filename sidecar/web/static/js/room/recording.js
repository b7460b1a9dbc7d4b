// @ts-check
// Recording, seen and heard by everybody: who is asked answers in words, and whoever said yes can take it back.

import { byId, keep, make, one, write } from "./dom.js";
import { Tone } from "./tone.js";

/**
 * @typedef {object} Recording
 * @property {string} id
 * @property {"asking" | "running" | "paused"} state
 * @property {boolean} asker this person asked for it
 * @property {boolean | null} mine this person's answer
 * @property {string[]} waiting names of who has not said yes
 * @property {string} purpose
 * @property {string} law empty where none is named
 * @property {string} until
 */
/** @typedef {{id: string, label: string}} Choice */
/** @typedef {{purposes: Choice[], laws: Choice[], earliest: string, latest: string}} Form */

/**
 * What the line says of a recording: the sentence, what follows it, and the key of its button.
 * @param {Recording | null | undefined} recording
 * @param {import("./texts.js").Say} t
 * @returns {{words: string, rest: string, act: string} | null}
 */
export function line(recording, t) {
  if (!recording) return null;
  const { state, asker, mine, waiting, purpose, law, until } = recording;
  const names = waiting.join(", ");
  const act = mine === null ? "reply" : asker ? (state === "asking" ? "cancel" : "stop") : mine ? "withdraw" : "";
  if (state === "asking") return { words: t(names ? "record.asking" : "record.asking_all", { names }), rest: "", act };
  if (state === "paused") return { words: t(names ? "record.paused" : "record.waiting", { names }), rest: t("record.rest", { until }), act };
  const rest = law ? t("record.rest_law", { law, until }) : t("record.rest", { until });
  return { words: t("record.on", { purpose }), rest, act };
}

/** The tone for a change between two states, or null. @param {string | undefined} before @param {string | undefined} after */
export function toneFor(before, after) {
  if (before === after) return null;
  if (after === "running") return "begins";
  return before === "running" ? "ends" : null;
}

export class RecordingPart {
  #hub;
  #tone = new Tone();
  #box = /** @type {HTMLDialogElement} */ (byId("consent"));
  #form = /** @type {HTMLFormElement} */ (byId("record-form"));
  /** @type {string | undefined} */ #before;
  /** @type {string} the recording whose question was put away unanswered */ #away = "";

  /** @param {import("./hub.js").Hub} hub @param {() => void} done the form has done its work */
  constructor(hub, done) {
    this.#hub = hub;
    byId("record-act").addEventListener("click", () => void this.#act());
    for (const press of this.#box.querySelectorAll("[data-yes]")) {
      press.addEventListener("click", () => void this.#reply(/** @type {HTMLElement} */ (press).dataset.yes === "true"));
    }
    this.#box.addEventListener("close", () => { this.#away = hub.room().recording?.id ?? ""; });
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      const { purpose, reference, delete_on } = Object.fromEntries(new FormData(this.#form));
      void hub.act("recording", { purpose, reference, delete_on }).then((answer) => answer && done());
    });
  }

  update() {
    const { t, room, say } = this.#hub;
    const recording = room().recording;
    const shown = line(recording, t);
    const strip = byId("line-recording");
    strip.hidden = !shown;
    strip.classList.toggle("on", recording?.state === "running");
    if (shown) {
      write(one(strip, "[data-words]"), shown.words);
      write(one(strip, "[data-rest]"), shown.rest);
      const button = byId("record-act");
      button.hidden = !shown.act;
      button.dataset.act = shown.act;
      if (shown.act) write(button, t(`record.${shown.act}`));
    }
    byId("promise").parentElement?.classList.toggle("recorded", recording?.state === "running");
    const tone = toneFor(this.#before, recording?.state);
    if (tone) this.#tone.play(tone);
    if (this.#before === "running" && recording?.state === "paused" && shown) say(shown.words);
    this.#before = recording?.state;
    this.#question(recording);
    this.#choices(room().recording_form);
  }

  /** @param {Recording | null | undefined} recording */
  #question(recording) {
    const asks = recording && recording.mine === null;
    if (!asks) {
      if (this.#box.open) this.#box.close();
      return;
    }
    const { t } = this.#hub;
    const { purpose, law, until } = recording;
    write(byId("consent-text"), t("record.consent.text", { purpose, until }));
    write(byId("consent-law"), law ? t("record.consent.law", { law }) : "");
    if (!this.#box.open && this.#away !== recording.id && !(/** @type {HTMLDialogElement} */ (byId("ask")).open)) {
      this.#box.showModal();
      byId("consent-title").focus();
    }
  }

  /** @param {Form | null | undefined} form */
  #choices(form) {
    if (!form) return;
    const { t } = this.#hub;
    for (const [id, all] of /** @type {const} */ ([["record-purpose", form.purposes], ["record-law", form.laws]])) {
      const select = byId(id);
      keep(select, [{ id: "", label: t("record.choose") }, ...all], ({ id: each }) => each, ({ id: each, label }) => {
        const option = make("option", "", label);
        option.value = each;
        return option;
      }, () => undefined);
    }
    /** @type {HTMLElement} */ (byId("record-law").parentElement).hidden = form.laws.length === 0;
    const day = /** @type {HTMLInputElement} */ (byId("record-until"));
    day.min = form.earliest;
    day.max = form.latest;
    if (!day.dataset.filled) {
      day.dataset.filled = "yes";
      day.value = form.latest;
    }
  }

  async #act() {
    const { t, ask, act } = this.#hub;
    const wish = byId("record-act").dataset.act;
    if (wish === "reply") {
      this.#away = "";
      this.update();
    } else if (wish === "cancel") await act("recording/stop");
    else if (wish === "stop" || wish === "withdraw") {
      const sure = await ask({ title: t(`record.${wish}`), text: t("record.end_text"), stay: t("record.end_stay"), go: t(`record.${wish}`) });
      if (sure) await (wish === "stop" ? act("recording/stop") : act("recording/answer", { yes: false }));
    }
  }

  /** @param {boolean} yes */
  async #reply(yes) {
    if (await this.#hub.act("recording/answer", { yes })) this.#box.close();
  }
}
