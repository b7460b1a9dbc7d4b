// @ts-check
// The viewer: fetches a recording part by part, each of them watermarked and written down before it comes.

import { pageSignal, post, Problem, problemFrom } from "../api.js";
import { wire } from "./acts.js";
import { nextPart, position } from "./playing.js";
import { wrong } from "./said.js";

const TYPE = 'video/webm; codecs="vp8,opus"';
/** Seconds kept behind what is shown. */
const BEHIND = 60;

const signal = pageSignal();
wire(document);

/** @template {HTMLElement} T @param {string} id @returns {T} */
const find = (id) => /** @type {T} */ (document.getElementById(id));

class Player {
  #video;
  #opened;
  /** @type {SourceBuffer | null} */ #buffer = null;
  /** @type {Set<number>} */ #have = new Set();
  #busy = false;

  /** @param {HTMLVideoElement} video @param {{url: string, parts: number, part_ms: number, duration_ms: number}} opened */
  constructor(video, opened) {
    this.#video = video;
    this.#opened = opened;
    const media = new MediaSource();
    media.addEventListener("sourceopen", () => {
      media.duration = opened.duration_ms / 1000;
      this.#buffer = media.addSourceBuffer(TYPE);
      void this.#fill();
    }, { once: true });
    video.src = URL.createObjectURL(media);
    for (const event of ["timeupdate", "seeking", "waiting"]) video.addEventListener(event, () => void this.#fill());
  }

  async #fill() {
    const buffer = this.#buffer;
    if (!buffer || this.#busy) return;
    this.#busy = true;
    try {
      for (let part = this.#wanted(); part >= 0; part = this.#wanted()) {
        const answer = await fetch(this.#opened.url + part, { signal, credentials: "same-origin", cache: "no-store" });
        if (!answer.ok) throw problemFrom(answer.status, await answer.json().catch(() => null), "");
        await this.#put(buffer, part, await answer.arrayBuffer());
      }
    } catch (error) {
      if (signal.aborted) return;
      this.#video.pause();
      if (error instanceof Problem) wrong(error);
      else throw error;
    } finally {
      this.#busy = false;
    }
  }

  #wanted() {
    const { part_ms, parts } = this.#opened;
    return nextPart(this.#video.currentTime, part_ms / 1000, parts, (part) => this.#have.has(part));
  }

  /** Sound comes with a little before it, so that parts join without a click: the window cuts it. @param {SourceBuffer} buffer @param {number} part @param {ArrayBuffer} data */
  async #put(buffer, part, data) {
    const { part_ms, duration_ms } = this.#opened;
    const settled = () => new Promise((resolve) => buffer.addEventListener("updateend", resolve, { once: true }));
    const gone = Math.floor((this.#video.currentTime - BEHIND) / (part_ms / 1000));
    if (gone > 0 && this.#have.has(gone - 1)) {
      buffer.remove(0, (gone * part_ms) / 1000);
      await settled();
      for (const each of this.#have) if (each < gone) this.#have.delete(each);
    }
    buffer.appendWindowStart = 0;
    buffer.appendWindowEnd = Math.min((part + 1) * part_ms, duration_ms) / 1000;
    buffer.appendWindowStart = (part * part_ms) / 1000;
    buffer.appendBuffer(data);
    await settled();
    this.#have.add(part);
  }
}

const viewer = document.getElementById("viewer");
document.getElementById("watch")?.addEventListener("click", async (event) => {
  const press = /** @type {HTMLButtonElement} */ (event.currentTarget);
  if (!viewer || press.getAttribute("aria-busy") === "true") return;
  press.setAttribute("aria-busy", "true");
  try {
    const opened = await post(viewer.dataset.open ?? "", {}, signal);
    const video = /** @type {HTMLVideoElement} */ (find("picture"));
    new Player(video, opened);
    video.hidden = false;
    press.hidden = true;
    find("pace-field").hidden = false;
    find("pace").addEventListener("change", ({ target }) => { video.playbackRate = Number(/** @type {HTMLSelectElement} */ (target).value); });
    const lacks = [opened.complete ? "" : viewer.dataset.incomplete ?? "", opened.left_out].filter(Boolean);
    if (lacks.length) {
      find("trouble").hidden = false;
      /** @type {HTMLElement} */ (find("trouble").querySelector("[data-words]")).textContent = lacks.join(" ");
    }
    find("chapters").replaceChildren(...opened.chapters.map((/** @type {{at_ms: number, text: string}} */ chapter) => row(video, chapter)));
    find("chapters-card").hidden = opened.chapters.length === 0;
    video.focus();
    void video.play().catch(() => undefined);
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    wrong(error);
  } finally {
    press.removeAttribute("aria-busy");
  }
});

/** @param {HTMLVideoElement} video @param {{at_ms: number, text: string}} chapter */
function row(video, { at_ms, text }) {
  const press = document.createElement("button");
  press.type = "button";
  press.className = "btn plain staff";
  const time = document.createElement("span");
  time.className = "num";
  time.textContent = position(at_ms);
  const words = document.createElement("span");
  words.textContent = text;
  press.append(time, " ", words);
  press.addEventListener("click", () => { video.currentTime = at_ms / 1000; });
  const line = document.createElement("li");
  line.append(press);
  return line;
}
