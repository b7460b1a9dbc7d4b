// @ts-check
// The meeting room: puts the parts together, and hands each of them what it needs to know.

import { ask as request, pageSignal } from "../api.js";
import { listen } from "../live.js";
import { changes, newAlerts } from "./changes.js";
import { Chat } from "./chat.js";
import { Devices } from "./devices.js";
import { byId, one, write } from "./dom.js";
import { Exit } from "./exit.js";
import { Guests } from "./guests.js";
import { Header } from "./header.js";
import { makeHub } from "./hub.js";
import { holdToSpeak, shortcuts } from "./keyboard.js";
import { Lines } from "./lines.js";
import { Connection } from "./media.js";
import { remember, remembered } from "./memory.js";
import { Menu } from "./menu.js";
import { Panels } from "./panels.js";
import { People } from "./people.js";
import { Plugins } from "./plugins.js";
import { stayLit, watchLooks } from "./presence.js";
import { asLevel, told } from "./quality.js";
import { RecordingPart } from "./recording.js";
import { Security } from "./security.js";
import { Settings } from "./settings.js";
import { Share, SHARING } from "./share.js";
import { expected, Floor } from "./speaker.js";
import { may, mayAny, others, refusal } from "./state.js";
import { measure } from "./stats.js";
import { Strict } from "./strict/strict.js";
import { texts } from "./texts.js";
import { Stage } from "./tiles.js";
import { Toolbar } from "./toolbar.js";
import { Voices } from "./voices.js";

/** Milliseconds between two readings of what arrived. */
const MEASURE = 1000;

const root = byId("room");
const base = `/v/${root.dataset.pid}`;
const language = document.documentElement.lang;
const sentences = JSON.parse(byId("texts").textContent ?? "{}");
const t = texts(sentences);
const signal = pageSignal();

/** @type {import("./state.js").Room} */
let room = JSON.parse(byId("state").textContent ?? "{}");
/** @type {Map<string, import("./slots.js").Mids>} */
let slots = new Map();
/** @type {Map<string, MediaStreamTrack>} */
let tracks = new Map();
/** @type {Map<string, import("./tiles.js").Media>} what the bridge says that others send */
const heard = new Map();
/** @type {Map<string, {holder: string, frames: number, energy: number}>} */
const bases = new Map();
/** @type {string | null} */
let speaker = null;
/** @type {import("./quality.js").Level} */
let level = "good";
/** @type {"joining" | "connected" | "reconnecting"} */
let link = "joining";
let roles = remembered().roles ?? false;
let single = remembered().keys ?? false;
let hideSelf = false;
let looked = true;
let talking = false;
let mutedAt = -Infinity;
let drawing = false;
const floor = new Floor();

const lines = new Lines();
const hub = makeHub({ t, language, base, signal, lines, room: () => room });

// The parts ---------------------------------------------------------------------------------------

const devices = new Devices({
  track(source, track) {
    void connection.setTrack(source, track);
    draw();
  },
  changed: () => {
    tellMedia();
    draw();
    void settings.update();
  },
  trouble: (key) => hub.answer(t(key)),
});
const voices = new Voices(remembered().speaker, (blocked) => lines.show("sound", blocked ? t("sound.blocked") : null));
const connection = new Connection({
  token: async (run) => (await request(`${base}/room/token`, { method: "POST", body: {}, signal: run })).token,
  join: async (token, sdp, run) => (await request(`${base}/room/join`, { method: "POST", body: { token, sdp }, signal: run })).sdp,
  state: linked,
  refused: (problem) => exit.end(problem.sentence),
  tracks(found) {
    tracks = found;
    slots = new Map();
    bases.clear();
    voices.play([...found.values()].filter(({ kind }) => kind === "audio"));
  },
  slots(people) {
    slots = people;
    strict.seated();
    draw();
  },
  message: hear,
});
const share = new Share(hub, {
  async send(track) {
    await connection.setTrack("share", track);
    tellMedia();
  },
  changed: draw,
});
const stage = new Stage(hub, { changed: draw, people: (opener) => panels.show("people", opener) });
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
const strict = new Strict(hub, {
  protect: (attach) => connection.protect(attach),
  mid: (line) => connection.mid(line),
  seats: () => slots,
  post: async (path, body) => (await request(`${base}/room/${path}`, { method: "POST", body, signal }).catch(() => null)) !== null,
  unable: () => exit.end(t("strict.unable")),
  stranger: () => exit.end(t("strict.stranger")),
});
const settings = new Settings(hub, devices, {
  speaker: (id) => voices.through(id),
  keys: (on) => { single = on; },
  hideSelf(on) {
    hideSelf = on;
    draw();
  },
});
const toolbar = new Toolbar(hub, {
  camera: () => void devices.turn("camera", !devices.on("camera")),
  microphone: () => void devices.turn("microphone", !devices.on("microphone")),
  share: () => void share.toggle(),
  documents: (opener) => panels.toggle("documents", opener),
});
const menu = new Menu(hub, (id, opener) => {
  if (id === "hand") void hub.act("hand", { raised: !room.people.find((person) => person.id === room.me.id)?.hand });
  else if (id === "record" && may(room, "record")) panels.toggle("recording", opener);
  else if (id === "record") void hub.act("record");
  else if (id === "end") void exit.endForAll();
  else if (id === "roles") {
    roles = !roles;
    remember({ roles });
    draw();
  } else panels.toggle(id, opener);
});
new Guests(hub);
const exit = new Exit(hub, { url: root.dataset.leave ?? `${base}/left`, quiet, changed: draw });
const header = new Header(hub, () => exit.over !== "");

// What the bridge says ----------------------------------------------------------------------------

/** @param {"joining" | "connected" | "reconnecting"} state */
function linked(state) {
  if (exit.over) return;
  const before = link;
  link = state;
  strict.linked(state === "connected");
  if (state === "connected") {
    hub.say(t(before === "reconnecting" ? "reconnected" : "joined"));
    tellMedia();
    want();
  } else {
    slots = new Map();
    speaker = null;
    if (state === "reconnecting" && before !== "reconnecting") hub.alarm(t("reconnecting"));
  }
  draw();
}

/** @param {any} message */
function hear(message) {
  if (message.type === "speaker") {
    speaker = typeof message.participant === "string" ? message.participant : null;
    floor.heard(speaker === room.me.id ? null : speaker, performance.now());
  } else if (message.type === "media" && typeof message.participant === "string") {
    heard.set(message.participant, { microphone: message.microphone === true, camera: message.camera === true });
  } else if (message.type === "quality") {
    fit(asLevel(message.level));
  } else if (message.type === "muted") {
    void silence(message.kind);
  } else if (message.type === "removed") {
    removed(String(message.reason));
  }
  draw();
}

/** What the bridge says when it lets go of somebody whose network failed: then this page comes back by itself. */
const BROKEN = ["connection_lost", "never_connected"];
const REMOVED = ["expelled", "ended", "session_ended", "replaced", "identify"];
/** Another page follows by itself: the server leads to it, or there is nowhere to go. */
const STAYS = ["replaced", "identify"];

/** @param {string} reason */
function removed(reason) {
  if (!BROKEN.includes(reason)) exit.end(t(`removed.${REMOVED.includes(reason) ? reason : "expelled"}`), { stay: STAYS.includes(reason) });
}

/** Follow the network up and down; sound is never touched. @param {import("./quality.js").Level} now */
function fit(now) {
  const sentence = told(level, now);
  level = now;
  void connection.setLevel(now);
  lines.show("quality", now === "good" ? null : t(`quality.${now}`), t(now === "weak" ? "quality.weak_rest" : "quality.sound_only_rest"));
  if (sentence) hub.say(now === "weak" && sentence === "quality.weak" ? `${t(sentence)} ${t("quality.weak_rest")}` : t(sentence));
  tellMedia();
}

/** A moderator turned something off: so does this page, so that its buttons tell the truth. @param {unknown} kind */
async function silence(kind) {
  mutedAt = performance.now();
  talking = false;
  if (kind === "audio") await devices.turn("microphone", false);
  else if (kind === "video") await devices.turn("camera", false);
  else if (kind === "share") await share.stop();
  else return;
  // The bridge waits to hear "off" before it takes an "on" as the person's own; say it also when nothing changed here.
  tellMedia();
  hub.answer(t(`muted.${kind}`), { urgent: true });
}

/** Let go of everything that is sent and heard. */
function quiet() {
  connection.stop();
  devices.stop();
  voices.stop();
  void share.stop();
  slots = new Map();
}

// What the bridge is told -------------------------------------------------------------------------

function tellMedia() {
  connection.send({
    type: "media", microphone: devices.on("microphone"), camera: devices.on("camera") && level !== "sound_only", share: share.active,
  });
}

let wanted = "";
function want() {
  const message = { type: "want", large: sharer() ?? large(), cameras: looked ? "all" : "none" };
  const text = JSON.stringify(message);
  if (text === wanted) return;
  wanted = text;
  connection.send(message);
}

// What the server says ----------------------------------------------------------------------------

/** @param {import("./state.js").Room} next */
function take(next) {
  // A state without a room is the lobby's: this person was asked to wait there.
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
  for (const { id } of others(before)) {
    if (here.has(id)) continue;
    floor.gone(id);
    heard.delete(id);
  }
  obey();
  plugins.update();
  strict.update();
  stage.tidy();
  draw();
}

/** What is no longer allowed stops here too; the server and the bridge have stopped it already. */
function obey() {
  if (!may(room, "speak") && devices.on("microphone")) void devices.turn("microphone", false);
  if (!may(room, "show_camera") && devices.on("camera")) void devices.turn("camera", false);
  if (share.active && !mayAny(room, SHARING)) void share.stop(refusal(room, SHARING) || t("share.not_more"));
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

/** Who is large: whoever spoke, or else whom this person came to meet. */
const large = () => floor.large(performance.now()) ?? expected(others(room));

/** Whose window we are shown, or null; never our own. */
function sharer() {
  const sent = [...slots].find(([id, { share: mid }]) => mid !== null && id !== room.me.id)?.[0];
  return sent ?? others(room).find(({ sharing }) => sharing)?.id ?? null;
}

/** @returns {Map<string, import("./tiles.js").Media>} */
function media() {
  const all = new Map(heard);
  for (const { id, muted } of others(room)) {
    const known = all.get(id) ?? { microphone: null, camera: null };
    if (muted) all.set(id, { ...known, microphone: false });
  }
  all.set(room.me.id, {
    microphone: devices.on("microphone"), camera: devices.on("camera"), network: level === "good" ? undefined : level,
  });
  return all;
}

/** @type {ReturnType<typeof setTimeout> | undefined} */
let later;
function drawNow() {
  const now = performance.now();
  const known = media();
  const shown = sharer();
  stage.update({ media: known, speaker, large: large(), sharer: shown, panel: panels.open !== null, roles, hideSelf });
  for (const { id } of others(room)) {
    const mid = level === "sound_only" ? null : slots.get(id)?.camera;
    stage.setPicture(id, (mid && tracks.get(mid)) || null);
  }
  stage.setPicture(room.me.id, devices.track("camera"));
  const window = shown && slots.get(shown)?.share;
  stage.setScreen((window && tracks.get(window)) || null);

  const asking = { camera: devices.asking("camera"), microphone: devices.asking("microphone") };
  toolbar.update({ camera: devices.on("camera"), microphone: devices.on("microphone"), share: share.active, asking });
  people.update(known);
  chat.update();
  security.update();
  recording.update();
  menu.update({ roles, unread: chat.unread, plugins: plugins.items });
  drawLines(shown);
  want();

  clearTimeout(later);
  const wait = floor.wait(now);
  if (wait !== null) later = setTimeout(draw, wait + 10);
}

/** @param {string | null} shown who shares a window */
function drawLines(shown) {
  const name = others(room).find(({ id }) => id === shown)?.name ?? "";
  const sharing = share.active ? t("share.mine") : shown && name ? t("share.others", { name }) : null;
  lines.show("share", sharing);
  byId("share-stop").hidden = !share.active;

  const [first] = room.lobby ?? [];
  lines.show("knock", first && panels.open !== "people" ? t("people.knocks", { name: first.name }) : null, first?.verified);
  const cover = exit.over || (link === "connected" ? "" : t(link === "joining" ? "joining" : "reconnecting"));
  const box = byId("over");
  box.hidden = cover === "";
  box.classList.toggle("late", link === "joining" && !exit.over);
  one(box, "p").classList.toggle("still", exit.over !== "");
  write(one(box, "p"), cover);
  root.classList.toggle("away", cover !== "");
  header.update({ reconnecting: link === "reconnecting", unread: chat.unread, microphone: devices.on("microphone") });
}

async function measured() {
  const report = await connection.stats();
  if (report) stage.measured(measure(/** @type {any} */ (report), slots, bases));
}

// What the person does ----------------------------------------------------------------------------

/** Hold to speak: open only while held, also when the microphone needs a moment to open. @param {boolean} on */
async function speak(on) {
  if (on && (!may(room, "speak") || devices.on("microphone"))) return;
  if (!on && !talking) return;
  talking = on;
  await devices.turn("microphone", on);
  if (on && !talking) await devices.turn("microphone", false);
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
    { area: byId("stage"), focus: () => stage.focus() },
    ...(panels.open ? [{ area: byId("panels"), focus: () => one(byId("panels"), ".panel:not([hidden]) h2").focus() }] : []),
    { area: byId("toolbar"), focus: () => toolbar.focus() },
  ],
});
holdToSpeak(byId("stage"), { speak: (on) => void speak(on), press: (target) => stage.press(target) });
for (const button of root.querySelectorAll("[data-leaves]")) button.addEventListener("click", () => void exit.leave());
byId("share-stop").addEventListener("click", () => void share.stop());
byId("sound-on").addEventListener("click", () => voices.resume());
byId("knock-people").addEventListener("click", () => panels.show("people", byId("knock-people")));
byId("knock-admit").addEventListener("click", () => {
  const [first] = room.lobby ?? [];
  if (first) void people.decide("admit", first);
});

// The start ---------------------------------------------------------------------------------------

watchLooks((now) => {
  looked = now;
  want();
});
stayLit();
listen(`${base}/events`, {
  signal,
  onState: take,
  onNotice({ sentence, urgent, ...rest }) {
    // The bridge has said a mute already, and by its name; the server's word is for a page whose bridge is silent.
    const muted = /** @type {{kind?: string}} */ (rest).kind === "mute.done";
    setTimeout(() => {
      if (!muted || performance.now() - mutedAt > 2000) hub.answer(sentence, { urgent });
    }, muted ? 600 : 0);
  },
  onGo: (url) => exit.go(url),
  onFact: (fact) => plugins.hear(fact),
  onOpen: () => plugins.connected(),
  onLost: () => lines.show("offline", byId("announce").dataset.offline ?? ""),
  onBack: () => lines.show("offline", null),
});
plugins.update();
strict.update();
connection.start();
// A browser lets a page that listens to its person also play; one that may do neither waits for a press.
void devices.start({ camera: may(room, "show_camera"), microphone: may(room, "speak") }).then(() => voices.resume());
for (const kind of ["pointerup", "keyup"]) addEventListener(kind, () => voices.resume(), { signal });
setInterval(() => void measured(), MEASURE);
drawNow();
addEventListener("pagehide", quiet);
byId("room-title").focus({ preventScroll: true });
