// @ts-check
// One encoded frame, sealed by its sender and opened by its receivers: AES-256-GCM over all but the first byte.
// A sealed frame: the byte that stays readable, the sealed rest with its 16-byte tag, the counter (8 bytes), the key's id (4 bytes).

const COUNTER = 8;
const KEY_ID = 4;
const TAG = 16;
const TAIL = COUNTER + KEY_ID;

/** @typedef {{id: number, key: CryptoKey}} FrameKey id: 32 random bits, so that a frame says by itself which key it wants */

/**
 * How many bytes of a frame stay readable, for what must tell frames apart without opening them. VP8 says in the first
 * whether it needs no other (RFC 6386, section 9.1), Opus how long it lasts (RFC 6716, section 3.1). The mark by which
 * a decoder knows the start of a VP8 picture is sealed, so no decoder begins on what it cannot open.
 */
export const CLEAR = 1;

/**
 * Seal one frame. The caller never gives a counter twice with one key.
 * @param {FrameKey} with_ @param {ArrayBuffer} data @param {bigint} counter
 * @returns {Promise<ArrayBuffer>}
 */
export async function seal({ id, key }, data, counter) {
  const open = new Uint8Array(data, 0, Math.min(CLEAR, data.byteLength));
  const tail = new Uint8Array(TAIL);
  const view = new DataView(tail.buffer);
  view.setBigUint64(0, counter);
  view.setUint32(COUNTER, id);
  const rest = new Uint8Array(data, open.length);
  const sealed = await crypto.subtle.encrypt({ name: "AES-GCM", iv: nonce(counter), additionalData: joined(open, tail) }, key, rest);
  return joined(open, new Uint8Array(sealed), tail).buffer;
}

/** The id of the key a frame was sealed with, null for what is no sealed frame. @param {ArrayBuffer} data */
export function keyId(data) {
  return data.byteLength < TAG + TAIL ? null : new DataView(data, data.byteLength - KEY_ID).getUint32(0);
}

/**
 * Open one frame. Throws where a bit was changed, in the readable byte too.
 * @param {CryptoKey} key @param {ArrayBuffer} data
 * @returns {Promise<ArrayBuffer>}
 */
export async function open(key, data) {
  const tail = new Uint8Array(data, data.byteLength - TAIL);
  // An empty frame has no readable part.
  const head = new Uint8Array(data, 0, Math.min(CLEAR, data.byteLength - TAIL - TAG));
  const counter = new DataView(data, data.byteLength - TAIL).getBigUint64(0);
  const sealed = new Uint8Array(data, head.length, data.byteLength - TAIL - head.length);
  const rest = await crypto.subtle.decrypt({ name: "AES-GCM", iv: nonce(counter), additionalData: joined(head, tail) }, key, sealed);
  return joined(head, new Uint8Array(rest)).buffer;
}

/** @param {bigint} counter */
function nonce(counter) {
  const iv = new Uint8Array(12);
  new DataView(iv.buffer).setBigUint64(4, counter);
  return iv;
}

/** @param {...Uint8Array} parts @returns {Uint8Array<ArrayBuffer>} */
function joined(...parts) {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
