// @ts-check
// Step 1: try the devices when asked to, and let the main button answer what is missing.

import { announce } from "./announce.js";
import { firstOf, pageSignal, post, Problem } from "./api.js";
import { OwnCamera } from "./background/own-camera.js";
import {
  alreadyAllowed, browserFamily, keepDevice, listDevices, loadChoice, measure, meterLevel, nextDevice, openDevice, playTones,
  saveChoice, tryNetwork,
} from "./device-check.js";
import { ours } from "./live.js";
import { showState } from "./words.js";

/** @typedef {"camera" | "microphone"} Kind */

const signal = pageSignal();
/** @type {Record<Kind, MediaStreamTrack | null>} */
const tracks = { camera: null, microphone: null };
const camera = new OwnCamera({
  standard: one('[data-part="background"]').dataset.standard === "on",
  ended: () => showCamera("failed", null),
});
let measuring = new AbortController();
let aloud = false; // nothing is read out before the person asks for the check: they are reading the page

/** @param {string} selector @param {ParentNode} [root] @returns {HTMLElement} */
function one(selector, root = document) {
  const found = root.querySelector(selector);
  if (!(found instanceof HTMLElement)) throw new Error(`the page lacks ${selector}`);
  return found;
}

/** Shows a check's state, and reads its sentence out once the person has asked. @param {string} name @param {string} state */
function show(name, state) {
  const part = one(`[data-part="${name}"]`);
  if (part.dataset.state === state) return;
  showState(part, state);
  const sentence = [...part.querySelectorAll("[data-when]:not([hidden])")].map((item) => item.textContent).join("");
  if (aloud && sentence.trim()) announce(sentence.trim());
}

/** The device in use, "" for none. @param {Kind} kind */
const used = (kind) => (kind === "camera" ? camera.id : tracks.microphone?.getSettings().deviceId || "");

/** @param {Kind} kind @param {string} deviceId */
async function start(kind, deviceId) {
  show(kind, "asking");
  if (kind === "microphone") tracks.microphone?.stop();
  const { state, track } = kind === "camera" ? await camera.open(deviceId) : await openDevice(kind, deviceId);
  if (signal.aborted) return track?.stop();
  if (kind === "camera") showCamera(state, track);
  else {
    tracks.microphone = track;
    saveChoice({ microphone: state === "ok" });
    listenTo(state, track);
  }
  if (used(kind)) saveChoice({ [`${kind}Id`]: used(kind) });
  const others = await listDevices(kind);
  one(`[data-change="${kind}"]`).hidden = state !== "ok" || others.length < 2;
}

/** Shows a camera that was opened, or why it is off. @param {string} state "failed": it could not be blurred @param {MediaStreamTrack | null} track */
function showCamera(state, track) {
  tracks.camera = track;
  saveChoice({ camera: track !== null });
  showPicture(state === "failed" ? "off" : state, track);
  showBackground(state === "failed");
  if (state === "failed") one("[data-start]").hidden = false;
}

/** How the background is shown, and what can be done about it. @param {boolean} [failed] */
function showBackground(failed = false) {
  const { on, way } = camera.background;
  const state = way === "none" ? "none" : failed ? "failed" : !on ? "off" : way === "outline" ? "outline" : "on";
  show("background", state);
  one("[data-blur]").hidden = state === "none" && !on;
  one("[data-outline]").hidden = !on || way !== "outline" || failed;
}

/** Blur the background, or show it. */
async function blur() {
  const { background } = camera;
  const [wasOn, failed] = [background.on, one('[data-part="background"]').dataset.state === "failed"];
  background.wish(!wasOn);
  if (failed && !tracks.camera) return start("camera", loadChoice().cameraId);
  if (camera.id) {
    const { state, track } = await camera.again();
    if (state !== "off") showCamera(state, track);
  }
  showBackground();
}

/** @param {string} state @param {MediaStreamTrack | null} track */
function showPicture(state, track) {
  show("camera", state === "off" ? "idle" : state);
  showState(one('[data-part="picture"]'), state);
  const video = /** @type {HTMLVideoElement} */ (one("[data-video]"));
  video.srcObject = track ? new MediaStream([track]) : null;
  if (track) void video.play().catch(() => undefined);
}

/** @param {string} state @param {MediaStreamTrack | null} track */
function listenTo(state, track) {
  measuring.abort();
  measuring = new AbortController();
  const meter = one("[data-meter]");
  meter.hidden = !track;
  if (!track) return show("microphone", state);
  show("microphone", "listening");
  const begun = performance.now();
  const bars = [...meter.children];
  let heard = 0;
  measure(track, (rms) => {
    const level = meterLevel(rms, bars.length);
    bars.forEach((bar, index) => bar.classList.toggle("on", index < level));
    heard += level >= 2 ? 1 : 0;
    if (heard >= 3) show("microphone", "ok");
    else if (performance.now() - begun > 6000) show("microphone", "silent");
  }, firstOf(measuring.signal, signal));
}

async function startBoth() {
  const button = one("[data-start]");
  button.setAttribute("aria-busy", "true");
  const kept = loadChoice();
  // One after the other: two questions at once confuse, and a missing camera must not take the microphone with it.
  await start("microphone", kept.microphoneId);
  await start("camera", kept.cameraId);
  const denied = ["camera", "microphone"].some((name) => one(`[data-part="${name}"]`).dataset.state === "denied");
  button.removeAttribute("aria-busy");
  button.hidden = tracks.camera !== null && tracks.microphone !== null;
  const help = /** @type {HTMLDetailsElement} */ (one('[data-part="help"]'));
  help.hidden = !denied;
  if (denied) {
    showState(help, browserFamily(navigator.userAgent, navigator.maxTouchPoints));
    help.open = true;
  }
}

/** @param {Kind} kind */
async function change(kind) {
  const devices = await listDevices(kind);
  await start(kind, nextDevice(devices, used(kind)));
  if (used(kind)) keepDevice(kind, used(kind));
  announce((kind === "camera" ? camera.label : tracks.microphone?.label) || "");
}

/** @param {HTMLFormElement} form */
function answer(form) {
  const box = /** @type {HTMLInputElement} */ (one("#consent-input"));
  const problem = one("#consent-problem");
  const say = (/** @type {string} */ sentence) => {
    one("span", problem).textContent = sentence;
    problem.hidden = !sentence;
    if (sentence) announce(sentence);
  };
  box.addEventListener("change", () => {
    say("");
    one("#consent-box").classList.remove("missing");
    box.removeAttribute("aria-invalid");
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (!box.checked) {
      one("#consent-box").classList.add("missing");
      box.setAttribute("aria-invalid", "true");
      say(problem.dataset.missing || "");
      box.focus();
      return;
    }
    const button = one("button[type=submit]", form);
    if (button.getAttribute("aria-busy") === "true") return;
    button.setAttribute("aria-busy", "true");
    let leaves = false; // the page that follows is on its way: nothing is sent a second time
    try {
      const found = await post(form.dataset.url || "", { version: form.dataset.version }, signal);
      if (found?.status === "failed") say(found.message || "");
      else {
        leaves = true;
        location.assign(ours(found?.next) ? found.next : form.dataset.next || "");
      }
    } catch (error) {
      if (error instanceof Problem) say(error.sentence);
      else if (!signal.aborted) throw error;
    } finally {
      if (!leaves) button.removeAttribute("aria-busy");
    }
  });
}

one("[data-start]").addEventListener("click", () => {
  aloud = true;
  void startBoth();
});
for (const kind of /** @type {Kind[]} */ (["camera", "microphone"])) {
  one(`[data-change="${kind}"]`).addEventListener("click", () => void change(kind));
}
one("[data-play]").addEventListener("click", () => {
  aloud = true;
  playTones().then(() => show("speaker", "played"), () => show("speaker", "none"));
});
one("[data-blur]").addEventListener("click", () => {
  aloud = true;
  void blur();
});
for (const part of /** @type {const} */ (["side", "size"])) {
  const slider = /** @type {HTMLInputElement} */ (one(`#blur-${part}`));
  slider.value = String(Math.round(camera.background.outline[part] * 10));
  slider.addEventListener("input", () => camera.background.move({ [part]: Number(slider.value) / 10 }));
}
showBackground();
signal.addEventListener("abort", () => {
  camera.close();
  tracks.microphone?.stop();
}, { once: true });
answer(/** @type {HTMLFormElement} */ (one("#consent")));
const sprite = document.querySelector("use")?.getAttribute("href")?.split("#")[0];
if (sprite) void tryNetwork(sprite, signal).then((verdict) => { if (!signal.aborted) show("network", verdict); });
void alreadyAllowed().then((allowed) => { if (allowed) void startBoth(); });
