// @ts-check
// The meeting room on Jitsi: our buttons, panels and lines as in every room, and Jitsi Meet where the tiles would be.

import { ask as request, pageSignal } from "../../api.js";
import { listen } from "../../live.js";
import { changes, newAlerts } from "../changes.js";
import { Chat } from "../chat.js";
import { byId, one, write } from "../dom.js";
import { Exit } from "../exit.js";
import { Guests } from "../guests.js";
import { Header } from "../header.js";
import { makeHub } from "../hub.js";
import { holdToSpeak, shortcuts } from "../keyboard.js";
import { Lines } from "../lines.js";
import { remembered } from "../memory.js";
import { Menu } from "../menu.js";
import { Panels } from "../panels.js";
import { People } from "../people.js";
import { Plugins } from "../plugins.js";
import { stayLit } from "../presence.js";
import { RecordingPart } from "../recording.js";
import { Security } from "../security.js";
import { Settings } from "../settings.js";
import { judged, SHARING } from "../share.js";
import { may, mayAny, others, refusal } from "../state.js";
import { texts } from "../texts.js";
import { Toolbar } from "../toolbar.js";
import { Frame } from "./frame.js";

const root = byId("room");
const base = `/v/${root.dataset.pid}`;
const language = document.documentElement.lang;
const sentences = JSON.parse(byId("texts").textContent ?? "{}");
const t = texts(sentences);
const signal = pageSignal();

/** @type {import("../state.js").Room} */
let room = JSON.parse(byId("state").textContent ?? "{}");
/** @type {Map<string, import("../tiles.js").Media>} what the frame says that others send */
const heard = new Map();
/** @type {"joining" | "connected" | "reconnecting"} */
let link = "joining";
let single = remembered().keys ?? false;
let talking = false;
let drawing = false;

const lines = new Lines();
const hub = makeHub({ t, language, base, signal, lines, room: () => room });

// The parts ---------------------------------------------------------------------------------------

const frame = new Frame(JSON.parse(byId("jitsi").textContent ?? "{}"), { parent: byId("frame"), title: t("stage"), lang: language }, {
  token: async (run) => (await request(`${base}/room/token`, { method: "POST", body: {}, signal: run })).token,
  state: linked,
  refused: (problem) => exit.end(problem.sentence),
  changed() {
    draw();
    void settings.update();
  },
  shared: (surface) => void shared(surface),
  trouble: (source) => hub.answer(t(`device.${source}.failed`)),
  announced: (text) => hub.answer(text, { urgent: true }),
  media(place, source, on) {
    const known = heard.get(place) ?? { microphone: null, camera: null };
    heard.set(place, { ...known, [source]: on });
    draw();
  },
});
const panels = new Panels((open) => {
  byId("main").classList.toggle("with-panel", open);
  draw();
  void settings.update();
});
const plugins = new Plugins(hub, panels, { pid: root.dataset.pid ?? "", sentences, signal });
const people = new People(hub);
const chat = new Chat(hub, () => panels.open === "chat");
const security = new Security(hub);
const recording = new RecordingPart(hub, () => panels.close());
// The devices are the frame's; the level of the microphone is not ours to hear.
const settings = new Settings(hub, /** @type {any} */ ({
  list: () => frame.devices(),
  choose: (/** @type {"camera" | "microphone"} */ source, /** @type {string} */ id) => frame.choose(source, id),
  track: () => null,
  on: () => false,
}), {
  speaker: (id) => frame.choose("speaker", id),
  keys: (on) => { single = on; },
  hideSelf: () => {},
});
for (const id of ["level", "hide-self"]) /** @type {HTMLElement} */ (byId(id).closest(".field, .tick")).hidden = true;
const toolbar = new Toolbar(hub, {
  camera: () => frame.turn("camera", !frame.on("camera")),
  microphone: () => frame.turn("microphone", !frame.on("microphone")),
  share: () => frame.toggleShare(),
  documents: (opener) => panels.toggle("documents", opener),
});
const menu = new Menu(hub, (id, opener) => {
  if (id === "hand") void hub.act("hand", { raised: !room.people.find((person) => person.id === room.me.id)?.hand });
  else if (id === "record" && may(room, "record")) panels.toggle("recording", opener);
  else if (id === "record") void hub.act("record");
  else if (id === "end") void exit.endForAll();
  else panels.toggle(id, opener);
});
new Guests(hub);
const exit = new Exit(hub, { url: root.dataset.leave ?? `${base}/left`, quiet: () => frame.stop(), changed: draw });
const header = new Header(hub, () => exit.over !== "");

// What the frame says -----------------------------------------------------------------------------

/** @param {"joining" | "connected" | "reconnecting"} state */
function linked(state) {
  if (exit.over) return;
  const before = link;
  link = state;
  if (state === "connected") hub.say(t(before === "reconnecting" ? "reconnected" : "joined"));
  else if (state === "reconnecting" && before !== "reconnecting") hub.alarm(t("reconnecting"));
  draw();
}

let told = false;
/** A share began or ended. The server hears what is shown, and what may not be shown ends here. @param {string} surface */
async function shared(surface) {
  if (!surface) {
    if (told) await hub.act("share", { action: "stop", surface: "window" });
    told = false;
    return;
  }
  const verdict = mayAny(room, SHARING) ? judged(surface, may(room, "share_screen")) : "unknown";
  if (verdict === "allowed") {
    told = (await hub.act("share", { action: "start", surface })) !== null;
    if (!told) frame.endShare();
    return;
  }
  frame.endShare();
  // The server writes the refusal down, and its sentence names the meeting type.
  const said = verdict === "screen" && !(await hub.act("share", { action: "start", surface: "monitor" }));
  if (!said) hub.answer(refusal(room, SHARING) || t(verdict === "screen" ? "share.only_window" : "share.unknown"), { urgent: true });
}

// What the server says ----------------------------------------------------------------------------

/** @param {import("../state.js").Room} next */
function take(next) {
  if (next && !next.me) exit.go(`${base}/lobby`);
  if (next?.me?.id !== room.me.id) return;
  const before = room;
  room = next;
  for (const { key, params } of changes(before, next)) hub.say(t(key, params));
  const alert = newAlerts(before, next).at(-1);
  if (alert) {
    lines.show("alert", alert.sentence);
    hub.alarm(alert.sentence);
  }
  const here = new Set(others(next).map(({ id }) => id));
  for (const id of heard.keys()) if (!here.has(id)) heard.delete(id);
  obey();
  plugins.update();
  draw();
}

/** What is no longer allowed stops here too; Prosody has taken it back from the conference already. */
function obey() {
  if (!may(room, "speak") && frame.on("microphone")) frame.turn("microphone", false);
  if (!may(room, "show_camera") && frame.on("camera")) frame.turn("camera", false);
  if (frame.sharing && !mayAny(room, SHARING)) {
    frame.endShare();
    hub.answer(refusal(room, SHARING) || t("share.not_more"), { urgent: true });
  }
  const needs = /** @type {Record<string, string>} */ ({ chat: "chat", guests: "invite_guest", security: "raise_security", recording: "record" });
  if (panels.open && needs[panels.open] && !may(room, needs[panels.open])) panels.close();
}

// What is shown -----------------------------------------------------------------------------------

/** Draw once, however many things changed together. */
function draw() {
  if (drawing) return;
  drawing = true;
  queueMicrotask(() => {
    drawing = false;
    drawNow();
  });
}

function drawNow() {
  const mine = { microphone: frame.on("microphone"), camera: frame.on("camera") };
  toolbar.update({ ...mine, share: frame.sharing, asking: { camera: false, microphone: false } });
  people.update(new Map([...heard, [room.me.id, mine]]));
  chat.update();
  security.update();
  recording.update();
  menu.update({ roles: false, unread: chat.unread, plugins: plugins.items, tiles: false });
  byId("alone").hidden = others(room).length > 0 || link !== "connected";
  const sharer = others(room).find(({ sharing }) => sharing);
  lines.show("share", frame.sharing ? t("share.mine") : sharer ? t("share.others", { name: sharer.name }) : null);
  byId("share-stop").hidden = !frame.sharing;
  const [first] = room.lobby ?? [];
  lines.show("knock", first && panels.open !== "people" ? t("people.knocks", { name: first.name }) : null, first?.verified);
  const cover = exit.over || (link === "connected" ? "" : t(link === "joining" ? "joining" : "reconnecting"));
  const box = byId("over");
  box.hidden = cover === "";
  box.classList.toggle("late", link === "joining" && !exit.over);
  one(box, "p").classList.toggle("still", exit.over !== "");
  write(one(box, "p"), cover);
  root.classList.toggle("away", cover !== "");
  header.update({ reconnecting: link === "reconnecting", unread: chat.unread, microphone: frame.on("microphone") });
}

// What the person does ----------------------------------------------------------------------------

/** Hold to speak: open only while held. Works with the focus on the stage; inside the frame keys are Jitsi's. @param {boolean} on */
function speak(on) {
  if (on ? !may(room, "speak") || frame.on("microphone") : !talking) return;
  talking = on;
  frame.turn("microphone", on);
}

shortcuts({
  single: () => single,
  close() {
    if (menu.isOpen) menu.close();
    else panels.close();
  },
  menu: () => menu.toggle(),
  keys: () => panels.toggle("keys"),
  press: (name) => toolbar.press(name),
  areas: () => [
    { area: byId("stage"), focus: () => byId("stage").focus() },
    ...(panels.open ? [{ area: byId("panels"), focus: () => one(byId("panels"), ".panel:not([hidden]) h2").focus() }] : []),
    { area: byId("toolbar"), focus: () => toolbar.focus() },
  ],
});
holdToSpeak(byId("stage"), { speak, press: () => {} });
for (const button of root.querySelectorAll("[data-leaves]")) button.addEventListener("click", () => void exit.leave());
byId("share-stop").addEventListener("click", () => frame.endShare());
byId("knock-people").addEventListener("click", () => panels.show("people", byId("knock-people")));
byId("knock-admit").addEventListener("click", () => {
  const [first] = room.lobby ?? [];
  if (first) void people.decide("admit", first);
});

// The start ---------------------------------------------------------------------------------------

stayLit();
listen(`${base}/events`, {
  signal,
  onState: take,
  onFact: (fact) => plugins.hear(fact),
  onOpen: () => plugins.connected(),
  onNotice: ({ sentence, urgent }) => hub.answer(sentence, { urgent }),
  onGo: (url) => exit.go(url),
  onLost: () => lines.show("offline", byId("announce").dataset.offline ?? ""),
  onBack: () => lines.show("offline", null),
});
plugins.update();
frame.start();
drawNow();
addEventListener("pagehide", () => frame.stop());
byId("room-title").focus({ preventScroll: true });
