// @ts-check
// The bridge forwards people into fixed receive slots; its "slots" message says who is in which.

/**
 * @typedef {{microphone: string | null, camera: string | null, share: string | null}} Mids which m-line of ours carries what
 */

/**
 * Turn a "slots" message into one entry per participant.
 *
 * A mid that is not one of ours, or that is named twice, is left out: a face under the wrong name is worse than no face.
 * @param {{audio?: {mid: string, participant: string | null}[], video?: {mid: string, participant: string | null, kind: string}[]}} message
 * @param {{audio: Iterable<string>, video: Iterable<string>}} own mids of our receive slots
 * @returns {Map<string, Mids>}
 */
export function bySlot(message, own) {
  /** @type {Map<string, Mids>} */
  const people = new Map();
  const free = { audio: new Set(own.audio), video: new Set(own.video) };
  const of = (/** @type {string} */ participant) => {
    const mids = people.get(participant) ?? { microphone: null, camera: null, share: null };
    people.set(participant, mids);
    return mids;
  };
  for (const { mid, participant } of message.audio ?? []) {
    if (participant && free.audio.delete(mid)) of(participant).microphone = mid;
  }
  for (const { mid, participant, kind } of message.video ?? []) {
    if (!participant || (kind !== "camera" && kind !== "share")) continue;
    if (free.video.delete(mid)) of(participant)[kind] = mid;
  }
  return people;
}

/**
 * Who carries this mid now, or null.
 * @param {Map<string, Mids>} people
 * @param {string} mid
 * @returns {{participant: string, kind: keyof Mids} | null}
 */
export function holder(people, mid) {
  for (const [participant, mids] of people) {
    for (const kind of /** @type {const} */ (["microphone", "camera", "share"])) {
      if (mids[kind] === mid) return { participant, kind };
    }
  }
  return null;
}
