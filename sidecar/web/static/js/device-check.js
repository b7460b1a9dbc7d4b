// @ts-check
// Camera, microphone, speaker and network, tried before anybody else sees or hears. Also what the room starts from:
// whether they were on (kept in this tab only), and the devices one chose (kept in this browser).

/** @typedef {{camera: boolean, microphone: boolean, cameraId: string, microphoneId: string}} Choice */
/** @typedef {"ok" | "denied" | "none" | "busy"} DeviceState */

const KEPT = "tillit.devices";
const CHOSEN = "tillit.devices.chosen";

/**
 * Returns why a device could not be opened.
 * Source: Media Capture and Streams, getUserMedia's error names.
 * @param {unknown} error
 * @returns {DeviceState}
 */
export function deviceState(error) {
  const name = error instanceof Error || error instanceof DOMException ? error.name : "";
  if (name === "NotAllowedError" || name === "SecurityError") return "denied";
  if (name === "NotReadableError" || name === "AbortError") return "busy";
  return "none";
}

/**
 * Returns how many of the meter's bars to light for a loudness: speech fills about four of six.
 * @param {number} rms root mean square of samples between -1 and 1
 * @param {number} bars
 */
export function meterLevel(rms, bars = 6) {
  if (!(rms > 0)) return 0;
  const decibels = 20 * Math.log10(rms);
  return Math.max(0, Math.min(bars, Math.round(((decibels + 60) / 45) * bars)));
}

/** Root mean square of a block of samples. @param {Float32Array} samples */
export function loudness(samples) {
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  return samples.length ? Math.sqrt(sum / samples.length) : 0;
}

/**
 * Returns what the network can carry, from a few small downloads.
 * @param {{milliseconds: number[], online: boolean, downlink?: number, saveData?: boolean}} seen
 *   milliseconds: how long each took, from question to last byte. downlink: megabits a second, where the browser tells
 * @returns {"good" | "weak" | "very_weak" | "offline"}
 */
export function networkVerdict({ milliseconds, online, downlink, saveData }) {
  if (!online || milliseconds.length === 0) return "offline";
  const sorted = [...milliseconds].sort((a, b) => a - b);
  const middle = sorted[Math.floor(sorted.length / 2)];
  if (middle > 1500 || (downlink !== undefined && downlink > 0 && downlink < 0.3)) return "very_weak";
  if (middle > 500 || (downlink !== undefined && downlink > 0 && downlink < 1) || saveData) return "weak";
  return "good";
}

/**
 * Returns whose instructions fit this browser.
 * @param {string} agent navigator.userAgent
 * @param {number} [touches] navigator.maxTouchPoints: an iPad says it is a Mac
 * @returns {"chrome" | "firefox" | "safari" | "ios" | "android" | "other"}
 */
export function browserFamily(agent, touches = 0) {
  if (/iPhone|iPad|iPod/.test(agent) || (/Macintosh/.test(agent) && touches > 1)) return "ios";
  if (/Android/.test(agent)) return "android";
  if (/Firefox\//.test(agent)) return "firefox";
  if (/Chrome\/|Chromium\/|Edg\//.test(agent)) return "chrome";
  if (/Safari\//.test(agent)) return "safari";
  return "other";
}

/**
 * Returns the device after the one in use, round and round.
 * @param {{deviceId: string}[]} devices
 * @param {string} current
 */
export function nextDevice(devices, current) {
  const place = devices.findIndex((device) => device.deviceId === current);
  return devices.length ? devices[(place + 1) % devices.length].deviceId : "";
}

/** Returns a stored choice, or the default where it cannot be read. @param {string | null} text @returns {Choice} */
export function readChoice(text) {
  const standard = { camera: true, microphone: true, cameraId: "", microphoneId: "" };
  try {
    const found = JSON.parse(text || "{}");
    return {
      camera: typeof found.camera === "boolean" ? found.camera : standard.camera,
      microphone: typeof found.microphone === "boolean" ? found.microphone : standard.microphone,
      cameraId: typeof found.cameraId === "string" ? found.cameraId : "",
      microphoneId: typeof found.microphoneId === "string" ? found.microphoneId : "",
    };
  } catch {
    return standard;
  }
}

/** Returns what was chosen in this tab, and in this browser where this tab has not chosen. @returns {Choice} */
export function loadChoice() {
  try {
    const here = readChoice(sessionStorage.getItem(KEPT));
    const { cameraId, microphoneId } = readChoice(localStorage.getItem(CHOSEN));
    return { ...here, cameraId: here.cameraId || cameraId, microphoneId: here.microphoneId || microphoneId };
  } catch {
    return readChoice(null); // storage is blocked: every page starts from the default
  }
}

/** Remembers a device somebody chose, for the next meeting too. @param {"camera" | "microphone"} kind @param {string} id */
export function keepDevice(kind, id) {
  saveChoice({ [`${kind}Id`]: id });
  try {
    const { cameraId, microphoneId } = readChoice(localStorage.getItem(CHOSEN));
    localStorage.setItem(CHOSEN, JSON.stringify({ cameraId, microphoneId, [`${kind}Id`]: id }));
  } catch {
    // Storage is blocked; the choice holds for this page.
  }
}

/** Remembers a choice in this tab. @param {Partial<Choice>} change */
export function saveChoice(change) {
  try {
    sessionStorage.setItem(KEPT, JSON.stringify({ ...loadChoice(), ...change }));
  } catch {
    // Storage is blocked; the choice holds for this page.
  }
}

/** Says whether the browser has already said yes, so that nothing needs to be asked. @returns {Promise<boolean>} */
export async function alreadyAllowed() {
  try {
    const names = ["camera", "microphone"];
    const found = await Promise.all(
      names.map((name) => navigator.permissions.query({ name: /** @type {PermissionName} */ (name) })),
    );
    return found.every((one) => one.state === "granted");
  } catch {
    return false; // a browser that does not tell is asked by the person's own press
  }
}

/** What the camera is asked for: 1080p where it has it, never a failure where it has not. @param {string} deviceId */
function cameraWish(deviceId = "") {
  const device = deviceId ? { deviceId: { ideal: deviceId } } : {};
  return { ...device, width: { ideal: 1920 }, height: { ideal: 1080 }, frameRate: { ideal: 30, max: 30 } };
}

/** @param {string} deviceId */
function microphoneWish(deviceId = "") {
  const device = deviceId ? { deviceId: { ideal: deviceId } } : {};
  return { ...device, echoCancellation: true, noiseSuppression: true, autoGainControl: true };
}

/**
 * Opens one kind of device.
 * @param {"camera" | "microphone"} kind
 * @param {string} deviceId "" for the browser's own choice
 * @returns {Promise<{state: DeviceState, track: MediaStreamTrack | null}>}
 */
export async function openDevice(kind, deviceId) {
  if (!navigator.mediaDevices?.getUserMedia) return { state: "none", track: null };
  const wish = kind === "camera" ? { video: cameraWish(deviceId) } : { audio: microphoneWish(deviceId) };
  try {
    const stream = await navigator.mediaDevices.getUserMedia(wish);
    return { state: "ok", track: stream.getTracks()[0] };
  } catch (error) {
    return { state: deviceState(error), track: null };
  }
}

/** Returns the devices of a kind. @param {"camera" | "microphone"} kind @returns {Promise<MediaDeviceInfo[]>} */
export async function listDevices(kind) {
  const wanted = kind === "camera" ? "videoinput" : "audioinput";
  const devices = (await navigator.mediaDevices?.enumerateDevices?.()) || [];
  return devices.filter((device) => device.kind === wanted);
}

/**
 * Measures a microphone until the signal ends; tells the loudness about fifteen times a second.
 * @param {MediaStreamTrack} track
 * @param {(rms: number) => void} tell
 * @param {AbortSignal} signal
 */
export function measure(track, tell, signal) {
  const context = new AudioContext();
  const analyser = context.createAnalyser();
  analyser.fftSize = 1024;
  context.createMediaStreamSource(new MediaStream([track])).connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  const timer = setInterval(() => {
    analyser.getFloatTimeDomainData(samples);
    tell(loudness(samples));
  }, 66);
  signal.addEventListener("abort", () => {
    clearInterval(timer);
    void context.close();
  }, { once: true });
}

/** Plays three calm tones. Throws when the browser has no sound. */
export async function playTones() {
  const context = new AudioContext();
  await context.resume();
  const volume = context.createGain();
  volume.gain.value = 0.18;
  volume.connect(context.destination);
  const notes = [392, 493.9, 587.3]; // G4, B4, D5
  notes.forEach((frequency, index) => {
    const start = context.currentTime + index * 0.35;
    const tone = context.createOscillator();
    const shape = context.createGain();
    tone.frequency.value = frequency;
    shape.gain.setValueAtTime(0, start);
    shape.gain.linearRampToValueAtTime(1, start + 0.04);
    shape.gain.linearRampToValueAtTime(0, start + 0.5);
    tone.connect(shape).connect(volume);
    tone.start(start);
    tone.stop(start + 0.55);
    if (index === notes.length - 1) tone.onended = () => void context.close();
  });
}

/**
 * Tries the network with a few small downloads of one of our own files.
 * @param {string} url
 * @param {AbortSignal} signal
 */
export async function tryNetwork(url, signal) {
  const milliseconds = [];
  for (let round = 0; round < 3; round += 1) {
    const begun = performance.now();
    try {
      const answer = await fetch(url, { cache: "no-store", signal });
      await answer.arrayBuffer();
      milliseconds.push(performance.now() - begun);
    } catch {
      if (signal.aborted) break;
    }
  }
  const connection = /** @type {{downlink?: number, saveData?: boolean} | undefined} */ (
    /** @type {any} */ (navigator).connection
  );
  return networkVerdict({
    milliseconds, online: navigator.onLine, downlink: connection?.downlink, saveData: connection?.saveData,
  });
}
