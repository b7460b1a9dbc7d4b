// @ts-check
// What really arrived, from getStats: written on the tiles for a support person and for tests.

/** @typedef {{frames: number, energy: number, width: number, height: number}} Measured */

/**
 * Sum up one report per participant.
 *
 * A slot's counters go on when the bridge gives it to somebody else, so each person is measured from `bases`,
 * the slot's counters when the person got it; a slot seen for the first time starts its person at zero.
 * @param {Iterable<[string, any]>} report an RTCStatsReport
 * @param {Map<string, import("./slots.js").Mids>} people
 * @param {Map<string, {holder: string, frames: number, energy: number}>} bases kept between calls, by mid
 * @returns {Map<string, Measured>} frames decoded of the camera; energy as totalAudioEnergy (squared level times seconds)
 */
export function measure(report, people, bases) {
  /** @type {Map<string, any>} */
  const inbound = new Map();
  for (const [, entry] of report) {
    if (entry.type === "inbound-rtp" && entry.mid !== undefined) inbound.set(entry.mid, entry);
  }
  /** @type {Map<string, Measured>} */
  const measured = new Map();
  for (const [participant, mids] of people) {
    const picture = since(mids.camera, `${participant} camera`, inbound, bases);
    const sound = since(mids.microphone, `${participant} microphone`, inbound, bases);
    measured.set(participant, { frames: picture.frames, energy: sound.energy, width: picture.width, height: picture.height });
  }
  return measured;
}

/**
 * @param {string | null} mid
 * @param {string} holder
 * @param {Map<string, any>} inbound
 * @param {Map<string, {holder: string, frames: number, energy: number}>} bases
 */
function since(mid, holder, inbound, bases) {
  const entry = mid === null ? undefined : inbound.get(mid);
  if (mid === null || entry === undefined) return { frames: 0, energy: 0, width: 0, height: 0 };
  const now = { frames: entry.framesDecoded ?? 0, energy: entry.totalAudioEnergy ?? 0 };
  let base = bases.get(mid);
  if (base?.holder !== holder) {
    base = base === undefined ? { holder, frames: 0, energy: 0 } : { holder, ...now };
    bases.set(mid, base);
  }
  return { frames: now.frames - base.frames, energy: now.energy - base.energy, width: entry.frameWidth ?? 0, height: entry.frameHeight ?? 0 };
}
