// @ts-check
// Panels of plugins: which this person sees, their modules, and the facts they hear. docs/plugins.md tells a plugin's side.

import { ask } from "../api.js";
import { byId, icon, make } from "./dom.js";
import { others } from "./state.js";

/** @typedef {{name: string, plugin: string, icon: string, title: string, module: string, style: string | null}} Panel */
/** @typedef {(data: any, fact: {kind: string, at: string, data: any}) => void} Handler */
/** @typedef {{shown?: () => void, hidden?: () => void}} Mounted */
/**
 * @typedef {object} Module what a panel's module may export
 * @property {(section: HTMLElement, api: any) => Mounted | void | Promise<Mounted | void>} mount
 * @property {(api: any) => void | Promise<void>} [attach]
 */
/** @typedef {{panel: Panel, section: HTMLElement, body: HTMLElement, module: Promise<Module>, api: any, mounted?: Promise<Mounted | void>, failed?: boolean}} Known */

/** Milliseconds an upload may take: a large file over a weak network. */
const UPLOAD = 180000;

/**
 * A plugin's own sentences: "panel.next" of "document_room" is "document_room.panel.next".
 * @param {Record<string, string>} sentences every sentence of the page
 * @param {string} plugin
 */
export function own(sentences, plugin) {
  return (/** @type {string} */ key, /** @type {Record<string, string | number>} */ params = {}) =>
    (sentences[`${plugin}.${key}`] ?? key).replace(/\{(\w+)\}/gu, (whole, name) => (name in params ? String(params[name]) : whole));
}

/** Whose panels came and went. @param {Panel[]} before @param {Panel[]} now */
export function difference(before, now) {
  const names = (/** @type {Panel[]} */ panels) => new Set(panels.map(({ name }) => name));
  const [old, fresh] = [names(before), names(now)];
  return { gone: before.filter(({ name }) => !fresh.has(name)), come: now.filter(({ name }) => !old.has(name)) };
}

export class Plugins {
  #hub;
  #panels;
  #page;
  /** @type {Map<string, Known>} by the panel's name */ #known = new Map();
  /** @type {Map<string, Set<Handler>>} by the fact's kind */ #handlers = new Map();

  /**
   * @param {import("./hub.js").Hub} hub
   * @param {import("./panels.js").Panels} panels
   * @param {{pid: string, sentences: Record<string, string>, signal: AbortSignal}} page
   */
  constructor(hub, panels, page) {
    this.#hub = hub;
    this.#panels = panels;
    this.#page = page;
  }

  /** Follow the newest state. */
  update() {
    const { gone, come } = difference([...this.#known.values()].map(({ panel }) => panel), this.#hub.room().panels ?? []);
    for (const { name } of gone) this.#remove(name);
    for (const panel of come) this.#add(panel);
  }

  /** What the menu holds of them; the documents have a button of their own. */
  get items() {
    return [...this.#known.values()]
      .filter(({ panel }) => panel.name !== "documents")
      .map(({ panel }) => ({ id: panel.name, picture: panel.icon, word: panel.title, panel: panel.name }));
  }

  /** @param {{kind: string, at: string, data: any}} fact */
  hear(fact) {
    for (const handler of this.#handlers.get(fact.kind) ?? []) this.#safely(() => handler(fact.data, fact));
  }

  /** The line to the server was opened: what was told before it is in nobody's ear. */
  connected() {
    this.hear({ kind: "connected", at: "", data: {} });
  }

  /** @param {Panel} panel */
  #add(panel) {
    if (panel.style) {
      const link = make("link");
      link.rel = "stylesheet";
      link.href = panel.style;
      document.head.append(link);
    }
    const section = this.#section(panel);
    const body = make("div", "well plugin");
    body.dataset.scroll = "";
    body.dataset.plugin = panel.plugin;
    body.tabIndex = 0;
    body.setAttribute("role", "group");
    body.setAttribute("aria-labelledby", `${panel.name}-title`);
    section.append(body);
    const api = this.#api(panel);
    /** @type {Known} */
    const known = { panel, section, body, api, module: import(panel.module) };
    this.#known.set(panel.name, known);
    section.addEventListener("panelshown", () => void this.#shown(panel.name));
    section.addEventListener("panelhidden", () => void this.#hidden(panel.name));
    known.module.then((module) => module.attach?.(api)).catch((error) => console.error(error));
    if (this.#panels.open === panel.name) void this.#shown(panel.name);
  }

  /** The documents' section is on the page already; what it says without a document room gives way. @param {Panel} panel */
  #section(panel) {
    const there = byId("panels").querySelector(`[data-panel="${CSS.escape(panel.name)}"]`);
    if (there instanceof HTMLElement) {
      for (const child of there.querySelectorAll(":scope > .well")) /** @type {HTMLElement} */ (child).hidden = true;
      return there;
    }
    const section = make("section", "panel");
    section.dataset.panel = panel.name;
    section.dataset.made = "";
    section.setAttribute("aria-labelledby", `${panel.name}-title`);
    section.hidden = true;
    const heading = make("h2", "", panel.title);
    heading.id = `${panel.name}-title`;
    heading.tabIndex = -1;
    const close = make("button", "square", icon("x"));
    close.type = "button";
    close.setAttribute("aria-label", this.#hub.t("panel.close", { panel: panel.title }));
    close.addEventListener("click", () => this.#panels.close());
    section.append(make("header", "", heading, close));
    byId("panels").append(section);
    return section;
  }

  /** @param {string} name */
  #remove(name) {
    const known = this.#known.get(name);
    if (!known) return;
    if (this.#panels.open === name) this.#panels.close();
    this.#known.delete(name);
    known.body.remove();
    if ("made" in known.section.dataset) known.section.remove();
    else for (const child of known.section.querySelectorAll(":scope > .well")) /** @type {HTMLElement} */ (child).hidden = false;
    for (const handlers of this.#handlers.values()) for (const handler of handlers) if (owners.get(handler) === known.api) handlers.delete(handler);
  }

  /** @param {string} name */
  async #shown(name) {
    const known = this.#known.get(name);
    if (!known) return;
    if (known.failed) {
      known.failed = false;
      known.body.replaceChildren();
      known.module = import(`${known.panel.module}&again=${Date.now()}`); // a module that failed once is kept as failed
    }
    known.mounted ??= known.module.then((module) => module.mount(known.body, known.api));
    try {
      (await known.mounted)?.shown?.();
    } catch (error) {
      console.error(error);
      known.mounted = undefined;
      known.failed = true;
      known.body.replaceChildren(make("p", "quiet", this.#hub.t("panel.failed")));
    }
  }

  /** @param {string} name */
  async #hidden(name) {
    const mounted = await this.#known.get(name)?.mounted?.catch(() => undefined);
    if (mounted) this.#safely(() => mounted.hidden?.());
  }

  /** @param {Panel} panel */
  #api(panel) {
    const hub = this.#hub;
    const { pid, signal } = this.#page;
    const url = (/** @type {string} */ path) => `/v/${pid}/x/${panel.plugin}/${path}`;
    const api = {
      pid,
      csrf: document.querySelector('meta[name="csrf"]')?.getAttribute("content") ?? "",
      language: hub.language,
      signal,
      get me() {
        const { id, name, capacity } = hub.room().me;
        return { id, name, capacity };
      },
      permissions: () => new Set(hub.room().me.permissions),
      people: () => others(hub.room()).map(({ id, name, given, capacity }) => ({ id, name, given, capacity })),
      url,
      fetchJson: (/** @type {string} */ method, /** @type {string} */ path, /** @type {unknown} */ body, /** @type {{signal?: AbortSignal, timeout?: number}} */ options = {}) =>
        ask(url(path), { method, body, signal: options.signal ?? signal, timeout: options.timeout }),
      upload: (/** @type {string} */ path, /** @type {FormData} */ form, /** @type {{signal?: AbortSignal}} */ options = {}) =>
        ask(url(path), { method: "POST", body: form, signal: options.signal ?? signal, timeout: UPLOAD }),
      t: own(this.#page.sentences, panel.plugin),
      icon,
      on: (/** @type {string} */ kind, /** @type {Handler} */ handler) => {
        const handlers = this.#handlers.get(kind) ?? new Set();
        this.#handlers.set(kind, handlers.add(handler));
        owners.set(handler, api);
        return () => handlers.delete(handler);
      },
      notice: (/** @type {string} */ sentence, /** @type {{urgent?: boolean}} */ options = {}) => hub.answer(sentence, options),
      announce: (/** @type {string} */ sentence) => hub.say(sentence),
      ask: hub.ask,
      open: (/** @type {string} */ name) => this.#panels.show(name),
      close: () => { if (this.#panels.open === panel.name) this.#panels.close(); },
      isOpen: () => this.#panels.open === panel.name,
    };
    return api;
  }

  /** A plugin's handler that throws is its own trouble. @param {() => void} act */
  #safely(act) {
    try {
      act();
    } catch (error) {
      console.error(error);
    }
  }
}

/** @type {WeakMap<Handler, object>} whose handler it is, so that a panel taken away hears nothing more */
const owners = new WeakMap();
