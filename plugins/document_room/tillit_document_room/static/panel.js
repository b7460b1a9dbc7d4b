// @ts-check
// The documents of a meeting: what is shown now, what else there is, and who leads. docs: the plugin's README.

import { button, make } from "./dom.js";
import { picker } from "./sending.js";
import { hasUnsettled, tools } from "./tools.js";
import { Viewer } from "./viewer.js";

const WIDE = "(min-width: 60rem)"; // from here the panel stands beside the faces and covers none
const KINDS = ["received", "imported", "shared", "restored", "deleted", "clause_seen", "clause_acknowledged", "page_viewed"];

/** @type {WeakMap<object, Room>} */
const rooms = new WeakMap();

/** @param {any} api */
export function attach(api) {
  rooms.set(api, new Room(api));
}

/** @param {HTMLElement} section @param {any} api */
export function mount(section, api) {
  const room = rooms.get(api) ?? new Room(api);
  rooms.set(api, room);
  return room.mount(section);
}

export class Room {
  /** @type {any} */ state = null;
  /** @type {Viewer} */ viewer;
  /** @type {Set<string>} documents whose tools are open */ opened = new Set();
  following = true;
  #asking = "";
  #mounted = false;
  #refreshes = 0;
  /** @type {(() => void) | undefined} puts away what was last said of a document, once it is untrue */ #takeBack;
  /** @type {Promise<void>} */ #latest = Promise.resolve();

  /** @param {any} api */
  constructor(api) {
    this.api = api;
    this.viewer = new Viewer(this);
    this.line = make("div", "dr-line");
    this.acts = make("div", "dr-acts");
    this.asked = make("div", "dr-asked");
    this.list = make("div", "dr-list");
    for (const kind of ["presented", "turned"]) api.on(`document_room.${kind}`, (/** @type {any} */ data) => void this.#led(data));
    api.on("document_room.withdrawn", (/** @type {any} */ data) => void this.#gone(data.document));
    api.on("document_room.put_away", () => {
      this.#takeBack?.();
      void this.refresh();
    });
    api.on("document_room.marked", (/** @type {any} */ data) => void this.#marked(data));
    api.on("document_room.clause_passed", (/** @type {any} */ data) => void this.#passed(data));
    for (const kind of KINDS) api.on(`document_room.${kind}`, () => void this.refresh());
    api.on("connected", () => void this.#connected());
  }

  /** @param {HTMLElement} section */
  async mount(section) {
    this.#mounted = true;
    section.classList.add("dr");
    section.append(this.line, this.viewer.root, this.acts, this.asked, this.list);
    section.addEventListener("keydown", (event) => {
      if (event.key !== "PageDown" && event.key !== "PageUp") return;
      if (!this.viewer.at || (event.target instanceof HTMLElement && event.target.matches("input, textarea"))) return;
      event.preventDefault();
      void this.turn(event.key === "PageDown" ? 1 : -1);
    });
    await this.refresh();
    await this.#follow();
    return { shown: () => void this.refresh().then(() => this.#follow()), hidden: () => this.viewer.tell() };
  }

  /** Fetch what is true now, and show it. Asked again meanwhile, it waits for the newer answer. */
  refresh() {
    this.#latest = this.#fetchState((this.#refreshes += 1));
    return this.#latest;
  }

  /** @param {number} turn @returns {Promise<void>} */
  async #fetchState(turn) {
    const state = await this.try(() => this.api.fetchJson("GET", "state"));
    if (turn !== this.#refreshes) return this.#latest;
    if (!state) return undefined;
    this.state = state;
    const { at } = this.viewer;
    const shown = at && this.#document(at.document);
    if (at && (!shown || shown.state === "withdrawn")) this.viewer.hide();
    else if (at && shown && shown.version !== at.version) void this.viewer.show(shown, Math.min(at.page, shown.pages));
    else if (shown) this.viewer.update(shown);
    this.#render();
    return undefined;
  }

  /** Do something and say why where it did not work. @template T @param {() => Promise<T>} work @returns {Promise<T | null>} */
  async try(work) {
    try {
      return await work();
    } catch (error) {
      const sentence = /** @type {any} */ (error)?.sentence;
      if (sentence) this.api.notice(sentence, { urgent: true });
      return null;
    }
  }

  /** @param {string} method @param {string} path @param {unknown} [body] */
  async act(method, path, body = {}) {
    const answer = await this.try(() => this.api.fetchJson(method, path, body));
    await this.refresh();
    return answer;
  }

  /** Read on one's own. @param {string} id @param {number} page */
  async read(id, page) {
    const document = this.#document(id);
    if (!document) return;
    const stage = this.state.stage;
    this.following = Boolean(stage && stage.document === id && stage.page === page);
    await this.viewer.show(document, page);
    this.#render();
    this.viewer.title.focus({ preventScroll: true });
    this.viewer.root.scrollIntoView({ block: "start" });
  }

  /** Turn the page: for everybody where one leads, for oneself else. @param {number} step */
  async turn(step) {
    const { at } = this.viewer;
    const document = at && this.#document(at.document);
    if (!at || !document) return;
    const page = at.page + step;
    if (page < 1 || page > document.pages) return;
    const stage = this.state.stage;
    if (stage?.mine && stage.document === document.id && this.following) {
      await this.viewer.show(document, page);
      await this.try(() => this.api.fetchJson("POST", "present", { document: document.id, page }));
      return;
    }
    this.following = Boolean(stage && stage.document === document.id && stage.page === page);
    await this.viewer.show(document, page);
    this.#render();
  }

  /** Let the reader drag a box on the page. @param {(box: number[], page: number) => unknown} done */
  draw(done) {
    const { paper, at } = this.viewer;
    if (!at) return;
    const page = at.page;
    const frame = make("div", "dr-draw");
    const rubber = make("div", "dr-rubber");
    frame.append(rubber);
    paper.append(frame);
    paper.scrollIntoView({ block: "nearest" });
    /** @type {[number, number] | null} */ let from = null;
    const place = (/** @type {PointerEvent} */ event) => {
      const area = frame.getBoundingClientRect();
      const share = (/** @type {number} */ value, /** @type {number} */ size) => Math.min(1, Math.max(0, value / size));
      return /** @type {[number, number]} */ ([share(event.clientX - area.left, area.width), share(event.clientY - area.top, area.height)]);
    };
    const box = (/** @type {[number, number]} */ a, /** @type {[number, number]} */ b) => [Math.min(a[0], b[0]), Math.min(a[1], b[1]), Math.abs(a[0] - b[0]), Math.abs(a[1] - b[1])];
    frame.addEventListener("pointerdown", (event) => { from = place(event); frame.setPointerCapture(event.pointerId); });
    frame.addEventListener("pointermove", (event) => {
      if (!from) return;
      const [x, y, width, height] = box(from, place(event));
      Object.assign(rubber.style, { left: `${x * 100}%`, top: `${y * 100}%`, width: `${width * 100}%`, height: `${height * 100}%` });
    });
    frame.addEventListener("pointerup", (event) => {
      const found = from && box(from, place(event));
      frame.remove();
      if (found && found[2] > 0.005 && found[3] > 0.005) void done(found, page);
    });
    frame.addEventListener("pointercancel", () => frame.remove());
  }

  /** @param {string} id */
  #document(id) {
    return this.state?.documents.find((/** @type {any} */ each) => each.id === id) ?? null;
  }

  /** Somebody shows a page. @param {{document: string, page: number, seq: number}} data */
  async #led(data) {
    this.#takeBack?.();
    const known = this.#document(data.document);
    const wasOther = this.state?.stage?.document !== data.document;
    if (known && this.state.stage && !wasOther && this.following && this.api.isOpen()) {
      this.state.stage = { ...this.state.stage, page: data.page, seq: data.seq };
      if (data.page <= known.pages) void this.viewer.show(known, data.page);
    }
    await this.refresh();
    if (wasOther) this.following = true;
    const stage = this.state?.stage;
    if (!stage) return;
    if (wasOther && !stage.mine) this.#announce(stage);
    await this.#follow();
  }

  /** A document that is shown says so; beside the faces it opens by itself, over them it waits to be asked. @param {any} stage */
  #announce(stage) {
    const document = this.#document(stage.document);
    this.#takeBack = this.api.notice(this.api.t("panel.now_shown", { title: document.name, page: stage.page }));
    const taken = window.document.querySelector("#panels:not([hidden])");
    if (!taken && window.matchMedia(WIDE).matches) this.api.open("documents");
  }

  async #follow() {
    const stage = this.state?.stage;
    if (!this.#mounted || !stage || !this.following || !this.api.isOpen()) return;
    const document = this.#document(stage.document);
    if (document && stage.page <= document.pages) await this.viewer.show(document, stage.page);
    this.#render();
  }

  /** @param {string} id */
  async #gone(id) {
    if (this.viewer.at?.document === id) {
      this.viewer.hide(); // at once: the picture is off the screen before anything is asked
      this.api.notice(this.api.t("panel.gone"));
    }
    await this.refresh();
  }

  /** What is hidden or marked changed: a picture that may show too much is off the screen before anything is asked. @param {{document: string, redraw: boolean}} data */
  async #marked({ document: id, redraw }) {
    const isOpen = redraw && this.viewer.at?.document === id;
    if (isOpen) this.viewer.cover();
    await this.refresh();
    const document = this.#document(id);
    if (document && isOpen) await this.viewer.again(document);
  }

  /** @param {{document: string, clause: string, participant: string}} data */
  async #passed(data) {
    await this.refresh();
    const title = this.#document(data.document)?.clauses.find((/** @type {any} */ each) => each.id === data.clause)?.title;
    if (!title) return;
    if (data.participant === this.api.me.id) this.api.notice(this.api.t("panel.passed.you", { title }), { urgent: true });
    else {
      const who = this.state.people.find((/** @type {any} */ each) => each.participant === data.participant)?.person ?? "";
      this.api.notice(this.api.t("panel.passed.other", { title, who }), { urgent: true });
    }
  }

  async #connected() {
    const before = this.state?.stage?.document;
    await this.refresh();
    const stage = this.state?.stage;
    if (stage && stage.document !== before && !stage.mine) this.#announce(stage);
    await this.#follow();
  }

  #render() {
    if (!this.#mounted || !this.state) return;
    this.#renderLine();
    this.#renderActs();
    this.#renderAsked();
    this.#renderList();
  }

  #renderLine() {
    const { t } = this.api;
    const { stage } = this.state;
    const at = this.viewer.at;
    if (!stage) return this.line.replaceChildren();
    if (stage.mine) return this.line.replaceChildren(make("span", "chip notice", this.api.icon("eye"), t("panel.shown.mine")), button("plain staff", [t("panel.stop")], () => this.act("POST", "stop")));
    const beside = !at || at.document !== stage.document || at.page !== stage.page;
    if (!beside && this.following) return this.line.replaceChildren(make("span", "chip notice", this.api.icon("eye"), t("panel.following", { who: stage.by })));
    return this.line.replaceChildren(make("p", "small", t("panel.ahead", { who: stage.by, page: stage.page })), button("line staff", [this.api.icon("eye"), make("span", "", t("panel.follow"))], () => {
      this.following = true;
      return this.#follow();
    }));
  }

  #renderActs() {
    const { t } = this.api;
    const at = this.viewer.at;
    const document = at && this.#document(at.document);
    if (!at || !document) return this.acts.replaceChildren();
    const { stage, may } = this.state;
    const acts = make("div", "acts");
    const isStaged = stage?.mine && stage.document === document.id;
    if (may.present && !(isStaged && stage.page === at.page) && document.state !== "withdrawn") {
      const words = isStaged ? t("panel.show.page") : t("panel.show");
      acts.append(button("main staff", [this.api.icon("eye"), make("span", "", words)], async () => {
        this.following = true;
        await this.act("POST", "present", { document: document.id, page: at.page });
      }));
    }
    if (document.may_download) {
      const link = make("a", "btn line staff", this.api.icon("down"), make("span", "", t("panel.keep")));
      link.href = this.api.url(`documents/${document.id}/${document.version}/file`);
      link.setAttribute("download", "");
      acts.append(link);
    }
    if (document.may_withdraw) acts.append(button("plain staff", [t("panel.withdraw")], () => { this.#asking = document.id; this.#renderAsked(true); }));
    const parts = [acts];
    if (may.oversee) {
      const readers = this.#readers();
      if (readers) parts.push(readers);
      if (document.state !== "signed") parts.push(tools(this, document));
    }
    if (!this.acts.contains(window.document.activeElement) || !this.acts.querySelector("details[open]")) this.acts.replaceChildren(...parts);
    return undefined;
  }

  #readers() {
    const { t } = this.api;
    if (!this.state.readers.length || this.state.stage?.document !== this.viewer.at?.document) return null;
    const list = make("ul", "dr-readers");
    for (const each of this.state.readers) {
      const item = make("li", "", make("span", "", each.page ? t("panel.reader.page", { who: each.person, page: each.page }) : t("panel.reader.none", { who: each.person })));
      if (each.left) item.append(make("span", "chip", t("panel.reader.left", { count: each.left })));
      for (const title of each.passed) item.append(make("span", "chip caution", this.api.icon("flag"), title));
      list.append(item);
    }
    return make("div", "stack-s", make("h4", "", t("panel.readers")), list);
  }

  /** The question stands in the panel itself, with its reasons as the answers. @param {boolean} [focus] */
  #renderAsked(focus = false) {
    const { t } = this.api;
    const document = this.#asking && this.#document(this.#asking);
    if (!document || !document.may_withdraw) {
      this.#asking = "";
      return this.asked.replaceChildren();
    }
    if (this.asked.childElementCount && !focus) return undefined;
    const answer = async (/** @type {string} */ reason) => {
      this.#asking = "";
      await this.act("POST", `documents/${document.id}/withdraw`, { reason });
    };
    const cancel = button("line staff", [t("panel.cancel")], () => { this.#asking = ""; this.#renderAsked(); });
    const reasons = ["outdated", "mistake", "misaddressed"].map((reason) => button("stop staff", [t(`panel.withdraw.${reason}`)], () => answer(reason)));
    const title = make("h4", "", t("panel.withdraw.ask", { title: document.name }));
    const box = make("div", "dr-question stack-s", title, make("p", "small", t("panel.withdraw.text")), make("div", "acts", ...reasons, cancel));
    box.setAttribute("role", "group");
    title.id = "dr-asked";
    box.setAttribute("aria-labelledby", title.id);
    this.asked.replaceChildren(box);
    cancel.focus();
    box.scrollIntoView({ block: "nearest" });
    return undefined;
  }

  #renderList() {
    const { t, icon } = this.api;
    const { documents, may, history, limits } = this.state;
    if (this.list.querySelector("[aria-busy]")) return; // a file is on its way: its progress stays
    const parts = [];
    const here = this.viewer.at?.document;
    const others = documents.filter((/** @type {any} */ each) => each.id !== here);
    if (!documents.length) parts.push(make("div", "empty", icon("doc"), make("p", "", make("strong", "", t("panel.none"))), make("p", "quiet", t("panel.none.text"))));
    if (others.length) parts.push(make("h4", "", t(here ? "panel.list" : "panel.back")), make("ul", "dr-docs", ...others.map((/** @type {any} */ each) => this.#row(each))));
    const before = history.filter((/** @type {any} */ each) => each.document !== this.state.stage?.document);
    if (before.length) {
      const list = make("ul", "dr-docs");
      for (const each of before) {
        const document = this.#document(each.document);
        if (document) list.append(make("li", "", icon("clock"), button("plain staff", [document.name], () => this.read(each.document, Math.min(each.page, document.pages))), make("time", "quiet small num", new Date(each.at).toLocaleTimeString(this.api.language, { hour: "2-digit", minute: "2-digit" }))));
      }
      parts.push(make("h4", "", t("panel.history")), list);
    }
    if (may.upload) parts.push(picker(this, { label: t("panel.add"), hint: t("panel.add.hint", { megabytes: limits.megabytes }), path: () => "documents", done: (answer) => this.#added(answer) }));
    this.list.replaceChildren(...parts);
  }

  /** @param {any} document */
  #row(document) {
    const { t, icon } = this.api;
    const about = [document.pages === 1 ? t("panel.page_one") : t("panel.pages", { pages: document.pages })];
    if (document.state === "withdrawn") about.push(t("panel.withdrawn"));
    else if (document.state === "signed") about.push(t("panel.signed"));
    else if (!document.released) about.push(t("panel.waiting"));
    if (document.state !== "withdrawn" && hasUnsettled(document)) about.push(t("panel.hide.unsettled", { version: document.version }));
    const item = make("li", "", icon("doc"));
    const name = document.state === "withdrawn" ? make("span", "", document.name) : button("plain staff", [document.name], () => this.read(document.id, 1));
    item.append(make("div", "", name, make("span", "quiet small", about.join(". "))));
    if (document.may_restore) item.append(button("line staff", [t("panel.undo"), make("span", "hidden", ` ${document.name}`)], () => this.act("POST", `documents/${document.id}/restore`)));
    item.dataset.document = document.id;
    return item;
  }

  /** @param {any} answer */
  async #added(answer) {
    this.#takeBack = this.api.notice(this.api.t(answer.removed.length ? "panel.cleaned" : "panel.added", { title: answer.name }));
    this.list.querySelector("[aria-busy]")?.removeAttribute("aria-busy");
    await this.refresh();
    if (this.state?.may.oversee) await this.read(answer.id, 1);
  }
}
