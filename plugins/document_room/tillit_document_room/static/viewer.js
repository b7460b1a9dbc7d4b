// @ts-check
// One page at a time: its picture for this reader alone, its words for who listens, what must not be missed on it.

import { button, make } from "./dom.js";
import { Watch, position } from "./reading.js";

const BEAT = 500; // milliseconds between two looks at what is in view

export class Viewer {
  #room;
  #api;
  /** @type {{document: string, version: number, page: number} | null} */ at = null;
  /** @type {AbortController | null} */ #fetching = null;
  /** @type {Watch | null} */ #watch = null;
  #address = "";
  #last = 0;

  /** @param {import("./panel.js").Room} room */
  constructor(room) {
    this.#room = room;
    this.#api = room.api;
    const t = this.#api.t;
    this.title = make("h3", "dr-title");
    this.title.tabIndex = -1;
    this.chips = make("p", "dr-chips");
    this.image = make("img", "dr-image");
    this.image.draggable = false;
    this.image.hidden = true;
    this.boxes = make("div", "dr-boxes");
    this.paper = make("div", "dr-paper", this.image, this.boxes);
    this.status = make("p", "quiet dr-status");
    this.count = make("span", "num dr-count");
    this.previous = button("plain staff", [this.#api.icon("left"), make("span", "", t("panel.previous"))], () => room.turn(-1));
    this.next = button("plain staff", [make("span", "", t("panel.next")), this.#api.icon("right")], () => room.turn(1));
    this.pager = make("div", "dr-pager", this.previous, this.count, this.next);
    this.wordsBox = make("div", "dr-words");
    this.words = make("details", "fold dr-text", make("summary", "", t("panel.words")), this.wordsBox);
    this.words.addEventListener("toggle", () => void this.#fetchWords());
    this.clauses = make("div", "dr-clauses");
    this.root = make("section", "dr-viewer", make("div", "dr-head", this.title, this.chips), this.paper, this.status, this.pager, this.clauses, this.words);
    this.root.hidden = true;
    const timer = setInterval(() => this.#beat(), BEAT);
    this.#api.signal.addEventListener("abort", () => clearInterval(timer), { once: true });
    document.addEventListener("visibilitychange", () => this.tell(), { signal: this.#api.signal });
  }

  /** @param {any} document @param {number} page */
  async show(document, page) {
    const same = this.at?.document === document.id && this.at.version === document.version && this.at.page === page;
    if (same && !this.image.hidden) return this.update(document);
    this.tell();
    this.#forget();
    this.at = { document: document.id, version: document.version, page };
    this.root.hidden = false;
    this.image.alt = this.#api.t("panel.alt", { title: document.name, page, pages: document.pages });
    const [width, height] = document.sizes[page - 1] ?? [595, 842];
    this.paper.style.aspectRatio = `${width} / ${height}`;
    this.update(document);
    const well = this.root.closest("[data-scroll]");
    if (well && well.scrollTop > this.root.offsetTop) well.scrollTop = this.root.offsetTop - 8; // each page begins at its top
    await this.#fetch(document);
  }

  /** Take the picture off the screen. */
  cover() {
    this.tell();
    this.#forget();
  }

  /** Draw again, since what is hidden changed. @param {any} document */
  async again(document) {
    if (this.at?.document !== document.id) return;
    this.#forget();
    await this.#fetch(document);
  }

  /** Follow what is known of the document, the picture as it is. @param {any} document */
  update(document) {
    if (!this.at) return;
    const t = this.#api.t;
    const { page } = this.at;
    this.title.textContent = document.name;
    const chips = [make("span", "quiet small", t("panel.version", { version: document.version }))];
    if (document.masked) chips.push(make("span", "chip notice", this.#api.icon("eyeoff"), t("panel.masked")));
    if (document.state === "signed") chips.push(make("span", "chip ok", this.#api.icon("check"), t("panel.signed")));
    this.chips.replaceChildren(...chips);
    this.count.textContent = t("panel.page", { page, pages: document.pages });
    this.previous.setAttribute("aria-disabled", String(page <= 1));
    this.next.setAttribute("aria-disabled", String(page >= document.pages));
    this.words.hidden = !this.#room.state.may.text;
    const here = document.clauses.filter((/** @type {any} */ clause) => clause.page === page);
    if (this.#watch) this.#watch.clauses = here;
    this.#drawBoxes(here);
    this.#drawClauses(document);
  }

  hide() {
    this.tell();
    this.#forget();
    this.at = null;
    this.root.hidden = true;
  }

  /** Say what was in view so far, when a page is left or covered. */
  tell() {
    const seconds = this.#watch?.take() ?? 0;
    if (this.at && seconds >= 1) void this.#report(seconds, [], []);
  }

  #forget() {
    this.#fetching?.abort();
    this.#watch = null;
    if (this.#address) URL.revokeObjectURL(this.#address);
    this.#address = "";
    this.image.hidden = true;
    this.image.removeAttribute("src");
    this.boxes.replaceChildren();
    this.words.open = false;
    this.wordsBox.replaceChildren();
  }

  /** @param {any} document */
  async #fetch(document) {
    const { at } = this;
    if (!at) return;
    const t = this.#api.t;
    const fetching = (this.#fetching = new AbortController());
    const slow = setTimeout(() => this.status.replaceChildren(t("panel.loading")), 400);
    try {
      const answer = await fetch(this.#api.url(`documents/${at.document}/${at.version}/pages/${at.page}`), {
        signal: fetching.signal, cache: "no-store", credentials: "same-origin", headers: { Accept: "image/png, application/problem+json" },
      });
      if (!answer.ok) throw new Error((await answer.json().catch(() => ({}))).sentence || "");
      const address = URL.createObjectURL(await answer.blob());
      if (fetching.signal.aborted) return URL.revokeObjectURL(address);
      this.#address = address;
      this.image.src = address;
      await this.image.decode();
      this.image.hidden = false;
      this.status.replaceChildren();
      const here = document.clauses.filter((/** @type {any} */ clause) => clause.page === at.page);
      this.#watch = new Watch(here, this.#room.state.limits.clause_seconds);
      this.#last = performance.now();
      this.#drawBoxes(here);
      this.#api.announce(t("panel.page", { page: at.page, pages: document.pages }));
    } catch (error) {
      if (fetching.signal.aborted) return;
      const said = error instanceof Error && error.message && !(error instanceof TypeError) ? error.message : t("panel.failed");
      this.status.replaceChildren(said, " ", button("plain staff", [t("panel.again")], () => this.#fetch(document)));
    } finally {
      clearTimeout(slow);
    }
    return undefined;
  }

  async #fetchWords() {
    const { at } = this;
    if (!this.words.open || !at || this.wordsBox.childElementCount) return;
    const t = this.#api.t;
    try {
      const { text } = await this.#api.fetchJson("GET", `documents/${at.document}/${at.version}/pages/${at.page}/text`);
      const lines = String(text).split(/\r?\n/u).map((line) => line.trim()).filter(Boolean);
      this.wordsBox.replaceChildren(...(lines.length ? lines : [t("panel.words.none")]).map((line) => make("p", "", line)));
    } catch (error) {
      this.wordsBox.replaceChildren(make("p", "quiet", /** @type {any} */ (error).sentence ?? t("panel.failed")));
    }
  }

  /** @param {any[]} clauses */
  #drawBoxes(clauses) {
    this.boxes.replaceChildren(...clauses.map((clause) => {
      const [x, y, width, height] = clause.box ?? [0, 0, 1, 1];
      const mark = make("div", clause.box ? "dr-box" : "dr-box whole");
      mark.dataset.clause = clause.id;
      mark.dataset.state = clause.state;
      Object.assign(mark.style, { left: `${x * 100}%`, top: `${y * 100}%`, width: `${width * 100}%`, height: `${height * 100}%` });
      return mark;
    }));
  }

  /** @param {any} document */
  #drawClauses(document) {
    const t = this.#api.t;
    if (!document.clauses.length) return this.clauses.replaceChildren();
    const list = make("ul", "dr-marks");
    for (const clause of document.clauses) {
      const item = make("li", "", make("span", "dr-point", clause.state === "seen" || clause.state === "acknowledged" ? this.#api.icon("check") : this.#api.icon("flag")));
      const words = make("div", "", make("strong", "", clause.title));
      item.dataset.state = clause.state;
      if (clause.state !== "none") words.append(make("span", "small quiet", t(`panel.clause.${clause.state}`)));
      const acts = make("div", "acts");
      if (clause.page !== this.at?.page) acts.append(button("plain staff", [t("panel.clause.go"), make("span", "hidden", ` ${clause.title}`)], () => this.#room.read(document.id, clause.page)));
      else if (clause.state === "open" || clause.state === "passed") acts.append(button("line staff", [this.#api.icon("check"), make("span", "", t("panel.clause.read", { title: clause.title }))], () => this.#acknowledge(clause)));
      if (acts.childElementCount) words.append(acts);
      item.append(words);
      list.append(item);
    }
    return this.clauses.replaceChildren(make("h4", "", t("panel.clauses")), list);
  }

  /** @param {any} clause */
  async #acknowledge(clause) {
    const { at } = this;
    if (!at) return;
    await this.#room.try(() => this.#api.fetchJson("POST", `documents/${at.document}/${at.version}/clauses/${clause.id}/read`, {}));
    await this.#room.refresh();
  }

  #beat() {
    const now = performance.now();
    const elapsed = Math.min(2, (now - this.#last) / 1000);
    this.#last = now;
    const watch = this.#watch;
    if (!watch || document.visibilityState !== "visible" || !this.#api.isOpen() || this.image.hidden) return;
    const well = /** @type {HTMLElement} */ (this.root.closest("[data-scroll]") ?? document.body).getBoundingClientRect();
    const found = watch.moment(elapsed, (clause) => {
      const mark = this.boxes.querySelector(`[data-clause="${CSS.escape(clause.id)}"]`);
      return mark ? position(mark.getBoundingClientRect(), well) : "below";
    });
    if (found.seen.length || found.past.length) void this.#report(watch.take(), found.seen, found.past);
  }

  /** @param {number} seconds @param {string[]} seen @param {string[]} past */
  async #report(seconds, seen, past) {
    const { at } = this;
    if (!at) return;
    try {
      await this.#api.fetchJson("POST", `documents/${at.document}/${at.version}/reading`, { page: at.page, seconds, seen, past });
      if (seen.length || past.length) await this.#room.refresh();
    } catch {
      // what was not told is not counted: the clause stays unread, which is the safe side
    }
  }
}
