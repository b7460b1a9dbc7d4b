// @ts-check
// Two ways to put the painter between the camera and whoever sees it: beside the page where the browser can, else in it.

import { Pace } from "./pace.js";
import { Painter, smaller } from "./painter.js";

/**
 * @typedef {object} Stream
 * @property {MediaStreamTrack} track what comes out: never a picture that was not painted over
 * @property {(outline: import("./outline.js").Outline) => void} outline
 * @property {() => void} stop
 */
/**
 * @typedef {object} Told
 * @property {() => void} running the first painted picture went out
 * @property {() => void} broken nothing more will come
 */
/** @typedef {(raw: MediaStreamTrack, outline: import("./outline.js").Outline, told: Told) => Stream} Way */

/** Milliseconds between two pictures while nobody looks at the page: the browser then no longer says when one comes. */
const HIDDEN = 1000;

const { MediaStreamTrackProcessor, MediaStreamTrackGenerator } = /** @type {any} */ (globalThis);

/** @returns {Way | null} null where the browser has neither */
export function way() {
  if (MediaStreamTrackProcessor && MediaStreamTrackGenerator && globalThis.OffscreenCanvas) return beside;
  if (globalThis.HTMLCanvasElement?.prototype.captureStream) return inPage;
  return null;
}

/** @type {Way} Source: MediaStreamTrack Insertable Media Processing using Streams, W3C. */
function beside(raw, outline, { running, broken }) {
  const worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
  const track = new MediaStreamTrackGenerator({ kind: "video" });
  // One picture waits at most: what comes while one is painted is dropped rather than late.
  const { readable } = new MediaStreamTrackProcessor({ track: raw, maxBufferSize: 1 });
  const { writable } = track;
  let over = false;
  const stop = () => {
    over = true;
    worker.terminate();
    track.stop();
  };
  const fail = () => {
    if (over) return;
    stop();
    broken();
  };
  worker.addEventListener("error", fail);
  worker.addEventListener("messageerror", fail);
  worker.addEventListener("message", ({ data }) => {
    if (data.type === "running" && !over) running();
    else if (data.type === "broken") fail();
  });
  worker.postMessage({ type: "start", readable, writable, outline }, [readable, writable]);
  return { track, stop, outline: (next) => worker.postMessage({ type: "outline", outline: next }) };
}

/** @type {Way} */
function inPage(raw, outline, { running, broken }) {
  const painter = new Painter((size) => Object.assign(document.createElement("canvas"), size), outline);
  const pace = new Pace();
  const shown = document.createElement("canvas");
  const pen = /** @type {CanvasRenderingContext2D} */ (shown.getContext("2d"));
  const video = document.createElement("video");
  Object.assign(video, { muted: true, playsInline: true, srcObject: new MediaStream([raw]) });
  /** @type {MediaStreamTrack | undefined} */
  let track;
  let over = false;
  const stop = () => {
    over = true;
    clearInterval(unseen);
    video.srcObject = null;
    track?.stop();
  };
  const paint = () => {
    if (over || !video.videoWidth) return;
    const begun = performance.now();
    try {
      const size = smaller({ width: video.videoWidth, height: video.videoHeight }, pace.size);
      const made = painter.paint(video, size);
      if (shown.width !== size.width || shown.height !== size.height) Object.assign(shown, size);
      pen.drawImage(made, 0, 0);
      running();
      if (pace.took(performance.now() - begun) === "over") throw new Error("too slow");
    } catch {
      stop();
      broken();
    }
  };
  // A video outside the document tells of its pictures in most browsers, not in all; then the screen's own beat is followed.
  let tells = "requestVideoFrameCallback" in video;
  let silent = 0;
  let loop = 0;
  const next = () => {
    const mine = (loop += 1);
    const seen = () => {
      if (over || mine !== loop) return;
      silent = 0;
      paint();
      next();
    };
    if (tells) video.requestVideoFrameCallback(seen);
    else requestAnimationFrame(seen);
  };
  const unseen = setInterval(() => {
    if (document.hidden) {
      silent = 0;
      paint();
    } else if (tells && video.videoWidth && (silent += 1) > 2) {
      tells = false;
      next();
    }
  }, HIDDEN);
  pen.fillRect(0, 0, 1, 1); // a canvas without a pen stroke gives no track in some browsers
  track = shown.captureStream(30).getVideoTracks()[0];
  next();
  video.play().catch(() => undefined);
  return { track, stop, outline: (chosen) => { painter.outline = chosen; } };
}
