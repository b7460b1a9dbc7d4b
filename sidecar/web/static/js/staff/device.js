// @ts-check
// Camera and sound before a call. Nothing is sent anywhere.

import { deviceState, measure, meterLevel } from "../device-check.js";

const video = /** @type {HTMLVideoElement | null} */ (document.querySelector("#device-preview video"));
const empty = /** @type {HTMLElement | null} */ (document.querySelector("#device-preview [data-empty]"));
const says = document.getElementById("device-says");
const sound = document.getElementById("device-sound");
const button = document.getElementById("device-start");
/** @type {MediaStream | null} */
let stream = null;
let ended = new AbortController();

/** @param {string} key */
function say(key) {
  if (says) says.textContent = says.dataset[key] || "";
}

/** @param {boolean} on */
function show(on) {
  video?.toggleAttribute("hidden", !on);
  empty?.toggleAttribute("hidden", on);
  sound?.toggleAttribute("hidden", !on);
  const words = button?.querySelector("span");
  if (button && words) words.textContent = (on ? button.dataset.stop : button.dataset.start) || "";
}

function stop() {
  for (const track of stream?.getTracks() || []) track.stop();
  stream = null;
  ended.abort();
  show(false);
  say("lead");
}

/** Shows how loud the microphone hears, until the camera is switched off. @param {MediaStreamTrack} track */
function meter(track) {
  const bars = [...(sound?.querySelectorAll(".meter i") || [])];
  ended = new AbortController();
  measure(track, (rms) => {
    const level = meterLevel(rms, bars.length);
    bars.forEach((bar, index) => bar.classList.toggle("on", index < level));
  }, ended.signal);
}

button?.addEventListener("click", async () => {
  if (stream) return stop();
  try {
    stream = await navigator.mediaDevices.getUserMedia({ audio: true, video: true });
    if (video) {
      video.srcObject = stream;
      await video.play();
    }
    show(true);
    meter(stream.getAudioTracks()[0]);
    say("ok");
  } catch (error) {
    stop();
    say(deviceState(error));
  }
});
addEventListener("pagehide", stop);
