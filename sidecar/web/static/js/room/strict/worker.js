// @ts-check
// Runs beside the page: every frame this person sends is sealed here, every frame that comes is opened here.
// Without a key nothing goes out and nothing is shown: a frame is dropped rather than sent or drawn as it is.

import { keyId, open, seal } from "./frames.js";

/** @type {import("./frames.js").FrameKey | null} */
let sending = null;
let counter = 0n;
/** Keys of others by their id, and whose they are. @type {Map<number, {key: CryptoKey, owner: string}>} */
const held = new Map();
/** @type {Set<any>} transformers of what we send; those of sound know no key frames */
const senders = new Set();
/** Whose frames came on each m-line last. @type {Map<number, string>} */
const owners = new Map();

/** Milliseconds between two requests for a key frame on one slot. */
const ASK = 500;

onmessage = ({ data }) => {
  if (data.type === "send") {
    sending = data.key;
    counter = 0n;
    // Whoever got this key just now can begin to see only with a whole picture.
    for (const transformer of senders) transformer.generateKeyFrame?.().catch(() => undefined);
  } else if (data.type === "receive") held.set(data.key.id, { key: data.key.key, owner: data.owner });
  else if (data.type === "forget") {
    for (const [id, { owner }] of held) if (!data.owners.includes(owner)) held.delete(id);
  }
};

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
    const from = held.get(keyId(frame.data) ?? -1);
    try {
      if (!from) throw new Error("no key");
      frame.data = await open(from.key, frame.data);
    } catch {
      gap = true;
      return;
    }
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
