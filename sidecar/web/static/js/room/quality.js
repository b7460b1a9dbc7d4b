// @ts-check
// What my picture may cost at each level of network. Resolution goes first, then frame rate, sound never.
// How many bits there are is the bridge's to say (REMB, transport-wide feedback); here is only what is made of them.

/** @typedef {"good" | "weak" | "sound_only"} Level */
/**
 * @typedef {object} Plan
 * @property {boolean} camera whether the camera is sent at all
 * @property {number} scale scaleResolutionDownBy
 * @property {number} maxFramerate frames a second
 */

/** A shared window is text: it keeps its sharpness and gives up frames. */
export const WINDOW = /** @type {const} */ ({ maxFramerate: 10 });

/** Asked of the camera; 1080p where it costs nothing to have. */
export const CAMERA = /** @type {const} */ ({
  width: { ideal: 1280, max: 1920 },
  height: { ideal: 720, max: 1080 },
  frameRate: { ideal: 30, max: 30 },
});
export const MICROPHONE = /** @type {const} */ ({ echoCancellation: true, noiseSuppression: true, autoGainControl: true });

/** @param {unknown} level @returns {Level} an unknown word is taken as good: only the bridge's own words take a picture away */
export const asLevel = (level) => (level === "weak" || level === "sound_only" ? level : "good");

/**
 * @param {Level} level
 * @param {number} [height] of the picture the camera gives, in pixels
 * @returns {Plan}
 */
export function plan(level, height = 720) {
  if (level === "sound_only") return { camera: false, scale: 1, maxFramerate: 30 };
  if (level === "weak") return { camera: true, scale: Math.max(1, height / 270), maxFramerate: 24 };
  return { camera: true, scale: 1, maxFramerate: 30 };
}

/**
 * Which sentence to say when the level changes, or null.
 * @param {Level} before
 * @param {Level} after
 */
export function told(before, after) {
  if (before === after) return null;
  if (after === "good") return "quality.good_again";
  if (after === "sound_only") return "quality.sound_only";
  return before === "sound_only" ? "quality.picture_again" : "quality.weak";
}
