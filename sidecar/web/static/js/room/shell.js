// @ts-check
// What is around the stage, the same on our bridge and on Jitsi: lines, panels, menu, buttons, keys, what the server says.

import { ask as request, pageSignal } from "../api.js";
import { listen } from "../live.js";
import { changes, newAlerts } from "./changes.js";
import { Chat } from "./chat.js";
import { byId, one, write } from "./dom.js";
import { Exit } from "./exit.js";
import { Guests } from "./guests.js";
import { Header } from "./header.js";
import { makeHub } from "./hub.js";
import { holdToSpeak, shortcuts } from "./keyboard.js";
import { Lines } from "./lines.js";
import { remember, remembered } from "./memory.js";
import { Menu } from "./menu.js";
import { Panels } from "./panels.js";
import { People } from "./people.js";
import { Plugins } from "./plugins.js";
import { stayLit } from "./presence.js";
import { RecordingPart } from "./recording.js";
import { Security } from "./security.js";
import { Settings } from "./settings.js";
import { SHARING } from "./share.js";
import { may, mayAny, others, refusal, waiting } from "./state.js";
import { texts } from "./texts.js";
import { Toolbar } from "./toolbar.js";

/** What an open panel needs; it closes when the permission goes. */
const PANEL_NEEDS = /** @type {Record<string, string>} */ ({ chat: "chat", guests: "invite_guest", security: "raise_security", recording: "record" });

/** @typedef {"joining" | "connected" | "reconnecting"} Link */
/** @typedef {{active: boolean, toggle: () => unknown, stop: (sentence?: string) => unknown}} Sharing */
/**
 * @typedef {object} Side the media side of the page. Nothing of it is called before the shell is made
 * @property {Pick<import("./devices.js").Devices, "on" | "asking" | "track" | "turn" | "choose" | "list">} devices
 * @property {() => Sharing} share
 * @property {boolean} tiles people are on tiles of ours
 * @property {(id: string) => void} speaker another loudspeaker was chosen
 * @property {(on: boolean) => void} hideSelf
 * @property {() => void} quiet lets go of everything that is sent and heard
 * @property {(link: Link) => void} linked
 * @property {(gone: string[]) => void} renewed a new state came, and these are not here any more
 * @property {() => {media: Map<string, import("./tiles.js").Media>, sharer: string | null}} draw draws the stage, and says
 *   what each sends and whose window is shown, never our own
 * @property {() => void} focus
 * @property {(target: HTMLElement) => void} press what a short press of the space bar on the stage does
 * @property {(notice: {sentence: string, urgent?: boolean}) => void} [notice] the server's word, where more than saying it is needed
 */

export class Shell {
  root = byId("room");
  base = `/v/${this.root.dataset.pid}`;
  signal = pageSignal();
  #sentences = JSON.parse(byId("texts").textContent ?? "{}");
  lines = new Lines();
  /** @type {import("./state.js").Room} */ room = JSON.parse(byId("state").textContent ?? "{}");
  /** @type {Link} */ link = "joining";
  hub = makeHub({
    t: texts(this.#sentences), language: document.documentElement.lang, base: this.base, signal: this.signal,
    lines: this.lines, room: () => this.room,
  });
  /** Whether the tiles say whose part is whose. */
  roles = remembered().roles ?? false;
  /** The microphone is open for as long as a key is held. */
  talking = false;
  #single = remembered().keys ?? false;
  /** Lets the screen go dark again. */
  #dark = () => {};
  #drawing = false;
  #side;
  #settings;
  #toolbar;
  #menu;
  #header;

  panels = new Panels((open) => {
    byId("main").classList.toggle("with-panel", open);
    this.changed();
  });
  #plugins = new Plugins(this.hub, this.panels, { pid: this.root.dataset.pid ?? "", sentences: this.#sentences, signal: this.signal });
  #people = new People(this.hub);
  #chat = new Chat(this.hub, () => this.panels.open === "chat");
  #security = new Security(this.hub);
  #recording = new RecordingPart(this.hub, () => this.panels.close());
  #guests = new Guests(this.hub);

  /** @param {Side} side */
  constructor(side) {
    this.#side = side;
    const { devices } = side;
    this.#settings = new Settings(this.hub, devices, {
      speaker: (id) => side.speaker(id),
      keys: (on) => { this.#single = on; },
      hideSelf: (on) => side.hideSelf(on),
    });
    this.#toolbar = new Toolbar(this.hub, {
      camera: () => void devices.turn("camera", !devices.on("camera")),
      microphone: () => void devices.turn("microphone", !devices.on("microphone")),
      share: () => void side.share().toggle(),
      documents: (opener) => this.panels.toggle("documents", opener),
    });
    this.#menu = new Menu(this.hub, (id, opener) => this.#chosen(id, opener));
    this.exit = new Exit(this.hub, { url: this.root.dataset.leave ?? `${this.base}/left`, quiet: () => this.#quiet(), changed: () => this.draw() });
    this.#header = new Header(this.hub, () => this.exit.over !== "");
    this.#listenToKeys();
    this.#listenToPresses();
  }

  /** Listen to the server, and show what is known so far. */
  start() {
    this.#dark = stayLit();
    listen(`${this.base}/events`, {
      signal: this.signal,
      onState: (next) => this.#take(next),
      onNotice: this.#side.notice ?? (({ sentence, urgent }) => this.hub.answer(sentence, { urgent })),
      onGo: (url) => this.exit.go(url),
      onFact: (fact) => this.#plugins.hear(fact),
      onOpen: () => this.#plugins.connected(),
      onLost: () => this.lines.show("offline", byId("announce").dataset.offline ?? ""),
      onBack: () => this.lines.show("offline", null),
    });
    this.#plugins.update();
    this.#drawNow();
    addEventListener("pagehide", () => this.#quiet());
    document.addEventListener("visibilitychange", () => this.draw(), { signal: this.signal });
    byId("room-title").focus({ preventScroll: true });
  }

  /** The meeting is over for this page. */
  #quiet() {
    this.#dark();
    this.#side.quiet();
  }

  /** A fresh join token: each opens the door once. @param {AbortSignal} run @returns {Promise<string>} */
  async token(run) {
    return (await request(`${this.base}/room/token`, { method: "POST", body: {}, signal: run })).token;
  }

  /** The line to the conference is another. @param {Link} link */
  linked(link) {
    if (this.exit.over) return;
    const before = this.link;
    this.link = link;
    const { t, say, alarm } = this.hub;
    if (link === "connected") say(t(before === "reconnecting" ? "reconnected" : "joined"));
    else if (link === "reconnecting" && before !== "reconnecting") alarm(t("reconnecting"));
    this.#side.linked(link);
    this.draw();
  }

  /** A device or the room beside the panel is another. */
  changed() {
    this.draw();
    void this.#settings.update();
  }

  /** Draw once, however many things changed together. */
  draw() {
    if (this.#drawing) return;
    this.#drawing = true;
    queueMicrotask(() => {
      this.#drawing = false;
      this.#drawNow();
    });
  }

  // What the server says --------------------------------------------------------------------------

  /** @param {import("./state.js").Room} next */
  #take(next) {
    // A state without a room is the lobby's: this person was asked to wait there.
    if (next && !next.me) this.exit.go(`${this.base}/lobby`);
    if (next?.me?.id !== this.room.me.id) return;
    const before = this.room;
    this.room = next;
    const { t, say, alarm } = this.hub;
    for (const { key, params } of changes(before, next)) say(t(key, params));
    const alert = newAlerts(before, next).at(-1);
    if (alert) {
      this.lines.show("alert", alert.sentence);
      alarm(alert.sentence);
    }
    const here = new Set(others(next).map(({ id }) => id));
    this.#obey();
    this.#plugins.update();
    this.#side.renewed(others(before).map(({ id }) => id).filter((id) => !here.has(id)));
    this.draw();
  }

  /** What is no longer allowed stops here too; the server and the conference have stopped it already. */
  #obey() {
    const { room, panels, hub: { t } } = this;
    const { devices } = this.#side;
    const share = this.#side.share();
    if (!may(room, "speak") && devices.on("microphone")) void devices.turn("microphone", false);
    if (!may(room, "show_camera") && devices.on("camera")) void devices.turn("camera", false);
    if (share.active && !mayAny(room, SHARING)) void share.stop(refusal(room, SHARING) || t("share.not_more"));
    if (panels.open && PANEL_NEEDS[panels.open] && !may(room, PANEL_NEEDS[panels.open])) panels.close();
  }

  // What is shown ---------------------------------------------------------------------------------

  #drawNow() {
    const { devices, share, tiles, draw } = this.#side;
    const { media, sharer } = draw();
    const [camera, microphone] = [devices.on("camera"), devices.on("microphone")];
    const { unread } = this.#chat;
    this.#toolbar.update({
      camera, microphone, share: share().active, asking: { camera: devices.asking("camera"), microphone: devices.asking("microphone") },
    });
    this.#people.update(media);
    this.#chat.update();
    this.#security.update();
    this.#recording.update();
    this.#guests.update();
    this.#menu.update({ roles: this.roles, unread, plugins: this.#plugins.items, tiles });
    this.#drawLines(sharer);
    this.#drawCover();
    this.#header.update({ reconnecting: this.link === "reconnecting", unread, microphone, camera, looked: !document.hidden });
  }

  /** @param {string | null} sharer who shares a window */
  #drawLines(sharer) {
    const { room, lines, hub: { t } } = this;
    const { active } = this.#side.share();
    const name = others(room).find(({ id }) => id === sharer)?.name;
    lines.show("share", active ? t("share.mine") : name ? t("share.others", { name }) : null);
    byId("share-stop").hidden = !active;
    const [first] = waiting(room);
    lines.show("knock", first && this.panels.open !== "people" ? t("people.knocks", { name: first.name }) : null, first?.verified);
  }

  /** What stands over the stage while there is no conference behind it. */
  #drawCover() {
    const { link, exit: { over }, hub: { t } } = this;
    const cover = over || (link === "connected" ? "" : t(link === "joining" ? "joining" : "reconnecting"));
    const box = byId("over");
    box.hidden = cover === "";
    box.classList.toggle("late", link === "joining" && !over);
    one(box, "p").classList.toggle("still", over !== "");
    write(one(box, "p"), cover);
    this.root.classList.toggle("away", cover !== "");
  }

  // What the person does --------------------------------------------------------------------------

  /** @param {string} id of the row of the menu @param {HTMLElement} opener */
  #chosen(id, opener) {
    const { room, panels, hub: { act } } = this;
    if (id === "hand") void act("hand", { raised: !room.people.find((person) => person.id === room.me.id)?.hand });
    else if (id === "record" && may(room, "record")) panels.toggle("recording", opener);
    else if (id === "record") void act("record");
    else if (id === "end") void this.exit.endForAll();
    else if (id === "roles") {
      this.roles = !this.roles;
      remember({ roles: this.roles });
      this.draw();
    } else panels.toggle(id, opener);
  }

  #listenToKeys() {
    const { panels } = this;
    shortcuts({
      single: () => this.#single,
      close: () => (this.#menu.isOpen ? this.#menu : panels).close(),
      menu: () => this.#menu.toggle(),
      keys: () => panels.toggle("keys"),
      press: (name) => this.#toolbar.press(name),
      areas: () => [
        { area: byId("stage"), focus: () => this.#side.focus() },
        ...(panels.open ? [{ area: byId("panels"), focus: () => one(byId("panels"), ".panel:not([hidden]) h2").focus() }] : []),
        { area: byId("toolbar"), focus: () => this.#toolbar.focus() },
      ],
    });
    holdToSpeak(byId("stage"), { speak: (on) => void this.#speak(on), press: (target) => this.#side.press(target) });
  }

  #listenToPresses() {
    for (const button of this.root.querySelectorAll("[data-leaves]")) button.addEventListener("click", () => void this.exit.leave());
    byId("share-stop").addEventListener("click", () => void this.#side.share().stop());
    byId("knock-people").addEventListener("click", () => this.panels.show("people", byId("knock-people")));
    byId("knock-admit").addEventListener("click", () => {
      const [first] = waiting(this.room);
      if (first) void this.#people.decide("admit", first);
    });
  }

  /** Hold to speak: open only while held, also when the microphone needs a moment to open. @param {boolean} on */
  async #speak(on) {
    const { devices } = this.#side;
    if (on && (!may(this.room, "speak") || devices.on("microphone"))) return;
    if (!on && !this.talking) return;
    this.talking = on;
    await devices.turn("microphone", on);
    if (on && !this.talking) await devices.turn("microphone", false);
  }
}
