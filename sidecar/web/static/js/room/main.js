// @ts-check
// The meeting room: puts the parts together, and hands each of them what it needs to know.

import { ask as request } from "../api.js";
import { Background } from "../background/background.js";
import { Blurring } from "./blurring.js";
import { Devices } from "./devices.js";
import { byId } from "./dom.js";
import { remembered } from "./memory.js";
import { Connection } from "./media.js";
import { watchLooks } from "./presence.js";
import { asLevel, told } from "./quality.js";
import { Share } from "./share.js";
import { Shell } from "./shell.js";
import { expected, Floor } from "./speaker.js";
import { may, others, seated } from "./state.js";
import { measure } from "./stats.js";
import { Strict } from "./strict/strict.js";
import { Stage } from "./tiles.js";
import { Voices } from "./voices.js";

/** Milliseconds between two readings of what arrived. */
const MEASURE = 1000;

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
let hideSelf = false;
let looked = true;
let mutedAt = -Infinity;
const floor = new Floor();

// The parts ---------------------------------------------------------------------------------------

const background = new Background({ standard: byId("room").dataset.blur === "on", broken: () => devices.blurEnded() });
const devices = new Devices({
  track(source, track) {
    void connection.setTrack(source, track);
    shell.draw();
  },
  changed() {
    tellMedia();
    shell.changed();
    blurring.update();
  },
  trouble: (key, params) => hub.answer(t(key, params)),
  sharp: () => blurring.failed(),
  plugged: (now) => voices.plugged(now),
}, background);
/** @type {Shell} */
const shell = new Shell({
  devices,
  share: () => share,
  tiles: true,
  speaker: (id) => voices.through(id),
  hideSelf(on) {
    hideSelf = on;
    shell.draw();
  },
  quiet, linked, renewed, draw,
  focus: () => stage.focus(),
  press: (target) => stage.press(target),
  notice: noticed,
});
const { base, hub, lines, panels, signal } = shell;
const { t } = hub;
const blurring = new Blurring(hub, background, devices, lines);
const voices = new Voices(remembered().speaker, {
  blocked: (blocked) => lines.show("sound", blocked ? t("sound.blocked") : null),
  told: (key, params) => hub.answer(t(key, params)),
});
const connection = new Connection({
  token: (run) => shell.token(run),
  join: async (token, sdp, run) => (await request(`${base}/room/join`, { method: "POST", body: { token, sdp }, signal: run })).sdp,
  state: (link) => shell.linked(link),
  refused: (problem) => shell.exit.end(problem.sentence),
  tracks(found) {
    tracks = found;
    slots = new Map();
    bases.clear();
    voices.play([...found.values()].filter(({ kind }) => kind === "audio"));
  },
  slots(people) {
    slots = people;
    strict.seated();
    shell.draw();
  },
  message: hear,
});
const share = new Share(hub, {
  async send(track) {
    await connection.setTrack("share", track);
    tellMedia();
  },
  changed: () => shell.draw(),
});
const stage = new Stage(hub, { changed: () => shell.draw(), people: (opener) => panels.show("people", opener) });
const strict = new Strict(hub, {
  protect: (attach) => connection.protect(attach),
  mid: (line) => connection.mid(line),
  seats: () => slots,
  post: async (path, body) => (await request(`${base}/room/${path}`, { method: "POST", body, signal }).catch(() => null)) !== null,
  unable: () => shell.exit.end(t("strict.unable")),
  stranger: () => shell.exit.end(t("strict.stranger")),
});

// What the bridge says ----------------------------------------------------------------------------

/** @param {import("./shell.js").Link} link */
function linked(link) {
  strict.linked(link === "connected");
  if (link === "connected") {
    tellMedia();
    want();
  } else {
    slots = new Map();
    speaker = null;
  }
}

/** @param {any} message */
function hear(message) {
  if (message.type === "speaker") {
    speaker = typeof message.participant === "string" ? message.participant : null;
    floor.heard(speaker === shell.room.me.id ? null : speaker, performance.now());
  } else if (message.type === "media" && typeof message.participant === "string") {
    const network = asLevel(message.network);
    heard.set(message.participant, {
      microphone: message.microphone === true, camera: message.camera === true, network: network === "good" ? undefined : network,
    });
  } else if (message.type === "quality") {
    fit(asLevel(message.level));
  } else if (message.type === "muted") {
    void silence(message.kind);
  } else if (message.type === "cut" && message.kind === "share") {
    void share.stop(t(`share.cut.${message.reason === "canary" ? "canary" : "blind"}`), { cut: true });
  } else if (message.type === "removed") {
    removed(String(message.reason));
  }
  shell.draw();
}

/** What the bridge says when it lets go of somebody whose network failed: then this page comes back by itself. */
const BROKEN = ["connection_lost", "never_connected"];
const REMOVED = ["expelled", "ended", "session_ended", "replaced", "identify", "sent_back"];
/** Another page follows by itself: the server leads to it, or there is nowhere to go. */
const STAYS = ["replaced", "identify", "sent_back"];

/** @param {string} reason */
function removed(reason) {
  const why = reason === "identified-anew" ? "replaced" : reason; // the same person, who showed who they are elsewhere
  if (!BROKEN.includes(why)) shell.exit.end(t(`removed.${REMOVED.includes(why) ? why : "expelled"}`), { stay: STAYS.includes(why) });
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
  shell.talking = false;
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

/** @param {string[]} gone */
function renewed(gone) {
  for (const id of gone) {
    floor.gone(id);
    heard.delete(id);
  }
  strict.update();
  stage.tidy();
}

/**
 * The bridge has said a mute already, and by its name; the server's word is for a page whose bridge is silent.
 * @param {{sentence: string, urgent?: boolean, kind?: string}} notice
 */
function noticed({ sentence, urgent, kind }) {
  const muted = kind === "mute.done";
  setTimeout(() => {
    if (!muted || performance.now() - mutedAt > 2000) hub.answer(sentence, { urgent });
  }, muted ? 600 : 0);
}

// What is shown -----------------------------------------------------------------------------------

/** Who is large: whoever spoke, or else whom this person came to meet. */
const large = () => floor.large(performance.now()) ?? expected(others(shell.room));

/** Whose window we are shown, or null; never our own. */
function sharer() {
  const sent = [...slots].find(([id, { share: mid }]) => mid !== null && id !== shell.room.me.id)?.[0];
  return sent ?? others(shell.room).find(({ sharing }) => sharing)?.id ?? null;
}

/** @returns {Map<string, import("./tiles.js").Media>} */
function media() {
  const all = new Map(heard);
  for (const { id, muted } of others(shell.room)) {
    const known = all.get(id) ?? { microphone: null, camera: null };
    if (muted) all.set(id, { ...known, microphone: false });
  }
  all.set(shell.room.me.id, {
    microphone: devices.on("microphone"), camera: devices.on("camera"), network: level === "good" ? undefined : level,
  });
  return all;
}

/** @type {ReturnType<typeof setTimeout> | undefined} */
let later;
function draw() {
  const now = performance.now();
  const { room, roles } = shell;
  const known = media();
  const shown = sharer();
  stage.update({ media: known, speaker, large: large(), sharer: shown, panel: panels.open !== null, roles, hideSelf });
  for (const { id } of seated(room)) {
    const mid = level === "sound_only" ? null : slots.get(id)?.camera;
    stage.setPicture(id, (mid && tracks.get(mid)) || null);
  }
  stage.setPicture(room.me.id, devices.track("camera"));
  const window = shown && slots.get(shown)?.share;
  stage.setScreen((window && tracks.get(window)) || null);
  want();

  clearTimeout(later);
  const wait = floor.wait(now);
  if (wait !== null) later = setTimeout(() => shell.draw(), wait + 10);
  return { media: known, sharer: shown };
}

async function measured() {
  const report = await connection.stats();
  if (report) stage.measured(measure(/** @type {any} */ (report), slots, bases));
}

// The start ---------------------------------------------------------------------------------------

byId("sound-on").addEventListener("click", () => voices.resume());
watchLooks((now) => {
  looked = now;
  want();
});
strict.update();
connection.start();
// A browser lets a page that listens to its person also play; one that may do neither waits for a press.
void devices.start({ camera: may(shell.room, "show_camera"), microphone: may(shell.room, "speak") }).then(() => voices.resume());
for (const kind of ["pointerup", "keyup"]) addEventListener(kind, () => voices.resume(), { signal });
setInterval(() => void measured(), MEASURE);
shell.start();
