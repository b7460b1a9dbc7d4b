// @ts-check
// Step 3: waits honestly. The server says where things stand; the page says it, and keeps camera and microphone at hand.

import { alarm, announce } from "./announce.js";
import { pageSignal, post, Problem } from "./api.js";
import { OwnCamera } from "./background/own-camera.js";
import { alreadyAllowed, loadChoice, openDevice, saveChoice } from "./device-check.js";
import { listen } from "./live.js";
import { counted, minutesSince, showState } from "./words.js";

/** @typedef {"camera" | "microphone"} Kind */

const signal = pageSignal();
/** @type {Record<Kind, MediaStreamTrack | null>} */
const tracks = { camera: null, microphone: null };
const camera = new OwnCamera({ standard: one("#lobby").dataset.blur === "on", ended: () => void turn("camera", false) });

/** @param {string} selector @param {ParentNode} [root] @returns {HTMLElement} */
function one(selector, root = document) {
  const found = root.querySelector(selector);
  if (!(found instanceof HTMLElement)) throw new Error(`the page lacks ${selector}`);
  return found;
}

/** Shows what the server says of the wait; reads it out only when it changed. @param {any} lobby as lobby_view gives it */
function show(lobby) {
  if (typeof lobby?.place !== "string") return;
  const root = one("#lobby");
  const before = root.querySelector('[data-field="strong"]')?.textContent;
  root.dataset.place = lobby.place;
  for (const field of ["heading", "strong", "rest", "line", "chosen", "note"]) {
    one(`[data-field="${field}"]`, root).textContent = lobby[field] || "";
  }
  const shown = (/** @type {string} */ name, /** @type {boolean} */ visible) => { one(name, root).hidden = !visible; };
  shown("[data-line]", Boolean(lobby.waiting));
  shown("[data-choices]", Boolean(lobby.choices));
  shown("[data-chosen]", Boolean(lobby.chosen));
  shown("[data-note]", Boolean(lobby.note));
  shown("[data-second]", lobby.place === "second_device");
  shown("[data-shut]", lobby.place === "closed");
  const here = !["second_device", "closed"].includes(lobby.place);
  shown("[data-facts]", here);
  shown("[data-own]", here);
  if (!here) for (const kind of /** @type {Kind[]} */ (["camera", "microphone"])) if (tracks[kind]) void turn(kind, false, false);
  one("[data-line]", root).dataset.since = lobby.since;
  tick();
  if (before !== lobby.strong) announce(`${lobby.strong} ${lobby.rest || ""}`.trim());
}

/** Counts the minutes in words; not read out, since nothing is worth less than a clock read aloud. */
function tick() {
  const line = one("[data-line]");
  const minutes = minutesSince(line.dataset.since || "", Date.now());
  const forms = { one: line.dataset.one, other: line.dataset.other || "" };
  const words = minutes ? counted(forms, minutes, document.documentElement.lang) : line.dataset.zero || "";
  if (!Number.isNaN(minutes)) one("[data-waited]", line).textContent = words;
}

/** @param {string} sentence */
function problem(sentence) {
  const part = one("[data-problem]");
  one("p", part).textContent = sentence;
  part.hidden = !sentence;
  if (sentence) announce(sentence);
}

/** @param {HTMLElement} button */
async function choose(button) {
  if (button.getAttribute("aria-busy") === "true") return;
  button.setAttribute("aria-busy", "true");
  problem("");
  try {
    const answer = await post(one("#lobby").dataset.choice || "", { choice: button.dataset.choose }, signal);
    show(answer);
    announce(answer?.chosen || "");
  } catch (error) {
    if (error instanceof Problem) problem(error.sentence);
    else if (!signal.aborted) throw error;
  } finally {
    button.removeAttribute("aria-busy");
  }
}

/** @param {Kind} kind @param {boolean} on @param {boolean} [keep] remember it for the room */
async function turn(kind, on, keep = true) {
  const kept = loadChoice();
  tracks[kind]?.stop();
  tracks[kind] = null;
  if (kind === "camera") camera.close();
  let state = "off";
  if (on) {
    const opened = kind === "camera" ? await camera.open(kept.cameraId) : await openDevice(kind, kept.microphoneId);
    if (signal.aborted) return opened.track?.stop();
    tracks[kind] = opened.track;
    state = opened.state;
  }
  const button = one(`[data-toggle="${kind}"]`);
  const running = tracks[kind] !== null;
  button.dataset.pressed = String(running);
  one("[data-label]", button).textContent = (running ? button.dataset.on : button.dataset.off) || "";
  for (const icon of button.querySelectorAll("[data-shown]")) {
    icon.toggleAttribute("hidden", icon.getAttribute("data-shown") !== (running ? "on" : "off"));
  }
  if (keep) saveChoice({ [kind]: running });
  if (kind === "camera") showPicture(state === "failed" ? "none" : state);
}

/** @param {string} state */
function showPicture(state) {
  showState(one('[data-part="picture"]'), state);
  const video = /** @type {HTMLVideoElement} */ (one("[data-video]"));
  video.srcObject = tracks.camera ? new MediaStream([tracks.camera]) : null;
  if (tracks.camera) void video.play().catch(() => undefined);
}

for (const button of document.querySelectorAll("[data-choose]")) {
  button.addEventListener("click", () => void choose(/** @type {HTMLElement} */ (button)));
}
for (const kind of /** @type {Kind[]} */ (["camera", "microphone"])) {
  const button = one(`[data-toggle="${kind}"]`);
  button.addEventListener("click", () => void turn(kind, button.dataset.pressed !== "true"));
}
signal.addEventListener("abort", () => {
  camera.close();
  tracks.microphone?.stop();
}, { once: true });
/** The line is lost: did another device take this place while nobody looked here? Then the page leads on. */
async function look() {
  const here = one("[data-second] a").getAttribute("href") || "";
  const answer = await fetch(here, { signal, headers: { Accept: "application/json" } }).catch(() => null);
  if (answer?.status === 401 && !signal.aborted) location.assign(here);
}

setInterval(tick, 10000);
const line = new AbortController(); // until another device has taken the place: then nothing more is said here
signal.addEventListener("abort", () => line.abort(), { once: true });
listen(one("#lobby").dataset.events || "", {
  signal: line.signal,
  onState: (lobby) => {
    show(lobby);
    if (lobby?.place === "second_device") line.abort();
  },
  onLost: () => void look(),
  onNotice: (notice) => { if (notice?.sentence) (notice.urgent ? alarm : announce)(notice.sentence); },
});
void alreadyAllowed().then(async (allowed) => {
  const kept = loadChoice();
  if (!allowed || signal.aborted || one("[data-own]").hidden) return;
  if (kept.camera && !one('[data-toggle="camera"]').hidden) await turn("camera", true);
  if (kept.microphone && !one('[data-toggle="microphone"]').hidden) await turn("microphone", true);
});
