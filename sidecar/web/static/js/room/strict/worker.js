// @ts-check
// Runs beside the page: every frame this person sends is sealed here, every frame that comes is opened here.
// Without a key nothing goes out and nothing is shown: a frame is dropped rather than sent or drawn as it is.

import { keyId, open, seal } from "./frames.js";

/** @typedef {import("./frames.js").FrameKey} FrameKey */

/** @type {FrameKey | null} */
let sending = null;
let counter = 0n;
/**
 * By owner: the key they send with, and for a moment the one before it, whose last frames may still be on the way. After
 * that it opens nothing: whoever has left holds it too. @type {Map<string, {now: FrameKey, before?: FrameKey, until: number}>}
 */
const held = new Map();
/** @type {Set<any>} transformers of what we send; those of sound know no key frames */
const senders = new Set();
/** Whose frames came on each m-line last. @type {Map<number, string>} */
const owners = new Map();

/** Milliseconds between two requests for a key frame on one slot, and for how long a key that was replaced still opens. */
const ASK = 500;
const LATE = 5000;

onmessage = ({ data }) => {
  if (data.type === "send") {
    sending = data.key;
    counter = 0n;
    // Whoever got this key just now can begin to see only with a whole picture.
    for (const transformer of senders) transformer.generateKeyFrame?.().catch(() => undefined);
  } else if (data.type === "receive") {
    const before = held.get(data.owner)?.now;
    if (before?.id !== data.key.id) held.set(data.owner, { now: data.key, before, until: performance.now() + LATE });
  } else if (data.type === "forget") {
    for (const owner of held.keys()) if (!data.owners.includes(owner)) held.delete(owner);
  }
};

/**
 * Open a frame with whichever key of that id opens it, and say whose that is. An id is no proof: two may go by the same.
 * @param {ArrayBuffer} data @returns {Promise<{owner: string, data: ArrayBuffer} | null>}
 */
async function opened(data) {
  const wanted = keyId(data);
  for (const [owner, { now, before, until }] of held) {
    for (const { id, key } of before && performance.now() < until ? [now, before] : [now]) {
      if (id !== wanted) continue;
      try {
        return { owner, data: await open(key, data) };
      } catch {
        // Not theirs.
      }
    }
  }
  return null;
}

/** @param {any} event an RTCTransformEvent (WebRTC Encoded Transform, W3C) */
function transform({ transformer }) {
  const { side, line } = transformer.options;
  if (side === "send") senders.add(transformer);
  const step = side === "send" ? sealing() : opening(transformer, line);
  transformer.readable
    .pipeThrough(new TransformStream({ transform: step }))
    .pipeTo(transformer.writable)
    .catch(() => senders.delete(transformer));
}
/** @type {any} */ (self).onrtctransform = transform;

function sealing() {
  return async (/** @type {any} */ frame, /** @type {TransformStreamDefaultController} */ next) => {
    if (!sending) return;
    counter += 1n;
    frame.data = await seal(sending, frame.data, counter);
    next.enqueue(frame);
  };
}

/** @param {any} transformer @param {number} line */
function opening(transformer, line) {
  let gap = false;
  let asked = 0;
  return async (/** @type {any} */ frame, /** @type {TransformStreamDefaultController} */ next) => {
    const from = await opened(frame.data);
    if (!from) {
      gap = true;
      return;
    }
    frame.data = from.data;
    if (gap && frame.type === "delta") {
      // What it builds on was dropped: ask for a whole picture instead of drawing half of one.
      if (performance.now() - asked > ASK) {
        asked = performance.now();
        transformer.sendKeyFrameRequest?.().catch(() => undefined);
      }
      return;
    }
    gap = false;
    if (owners.get(line) !== from.owner) {
      owners.set(line, from.owner);
      postMessage({ type: "opened", line, owner: from.owner });
    }
    next.enqueue(frame);
  };
}
