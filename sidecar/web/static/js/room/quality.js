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

/** Processor threads with which a browser's own encoder keeps up with 1080p beside everything else it does. */
const STRONG = 8;

/**
 * What is asked of the camera: 1080p of a strong computer, 720p of a phone or a small one, whose encoder would fall
 * behind and give up frames. The network's part is adaptation's. @param {number | undefined} threads
 */
export const cameraWish = (threads) => ({
  width: { ideal: (threads ?? 0) >= STRONG ? 1920 : 1280, max: 1920 },
  height: { ideal: (threads ?? 0) >= STRONG ? 1080 : 720, max: 1080 },
  frameRate: { ideal: 30, max: 30 },
});
export const MICROPHONE = /** @type {const} */ ({ echoCancellation: true, noiseSuppression: true, autoGainControl: true });

/** @param {unknown} level @returns {Level} an unknown word is taken as good: only the bridge's own words take a picture away */
export const asLevel = (level) => (level === "weak" || level === "sound_only" ? level : "good");

/**
 * What a picture may look like for what it may cost, the best first. Lines go before frames: a small picture that moves
 * is a face, a large one that stutters is not.
 * @type {readonly {from: number, lines: number, maxFramerate: number}[]} from: bits a second
 */
export const STEPS = [
  { from: 500_000, lines: Infinity, maxFramerate: 30 },
  { from: 220_000, lines: 360, maxFramerate: 30 },
  { from: 120_000, lines: 270, maxFramerate: 30 },
  { from: 90_000, lines: 180, maxFramerate: 24 },
  { from: 0, lines: 180, maxFramerate: 12 },
];
/** A weak network gets no more than this step, however much the encoder thinks there is. */
const WEAK = 2;
/** A step up needs this much more than its due, so that the picture does not swing to and fro. */
const ROOM = 1.4;

/**
 * Which step a picture stands on now: down as far as it takes, up one at a time, both on two readings that agree. A sender
 * that begins looks for its rate; one low reading says nothing.
 * @param {number} before index in STEPS
 * @param {number | undefined} bits what the encoder may spend a second, undefined while nothing is known
 * @param {number} [last] the reading before
 */
export function stepped(before, bits, last = bits) {
  if (bits === undefined || last === undefined) return before;
  const due = STEPS.findIndex(({ from }) => Math.max(bits, last) >= from);
  if (due >= before) return due;
  return Math.min(bits, last) >= ROOM * STEPS[before - 1].from ? before - 1 : before;
}

/**
 * @param {Level} level
 * @param {number} [height] of the picture the camera gives, in pixels
 * @param {number} [step] index in STEPS
 * @returns {Plan}
 */
export function plan(level, height = 720, step = 0) {
  if (level === "sound_only") return { camera: false, scale: 1, maxFramerate: 30 };
  const { lines, maxFramerate } = STEPS[level === "weak" ? Math.max(step, WEAK) : step];
  return { camera: true, scale: Math.max(1, height / lines), maxFramerate };
}

/**
 * What the encoder of the camera may spend, in bits a second; undefined while it sends nothing.
 * @param {Iterable<[string, any]>} report an RTCStatsReport
 * @param {string | null | undefined} mid of the camera's m-line
 */
export function budget(report, mid) {
  for (const [, entry] of report) {
    if (entry.type === "outbound-rtp" && entry.mid === mid && entry.active !== false) return entry.targetBitrate;
  }
  return undefined;
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
