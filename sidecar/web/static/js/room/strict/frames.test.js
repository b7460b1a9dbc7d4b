import assert from "node:assert/strict";
import { test } from "node:test";

import { CLEAR, keyId, open, seal } from "./frames.js";

const key = (/** @type {KeyUsage[]} */ uses) => crypto.subtle.importKey("raw", new Uint8Array(32).fill(7), "AES-GCM", false, uses);
const [sealing, opening] = await Promise.all([key(["encrypt"]), key(["decrypt"])]);
const frame = (/** @type {number} */ length) => Uint8Array.from({ length }, (_, n) => (n * 31) & 255).buffer;
const sealed = (/** @type {ArrayBuffer} */ data, counter = 1n) => seal({ id: 0xfeedbeef, key: sealing }, data, counter);

test("a frame comes out as it went in, whatever its length", async () => {
  for (const length of [0, 1, 2, 3, 1200]) {
    const data = frame(length);
    assert.deepEqual(await open(opening, await sealed(data)), data, `${length} bytes`);
  }
});

test("only the first byte of a frame can be read on the way", async () => {
  const data = frame(400);
  const out = new Uint8Array(await sealed(data));
  assert.equal(CLEAR, 1);
  assert.deepEqual(out.slice(0, 1), new Uint8Array(data).slice(0, 1));
  assert.notDeepEqual(out.slice(1, 400), new Uint8Array(data).slice(1));
});

test("the mark by which a decoder knows a whole VP8 picture is not there any more", async () => {
  const whole = new Uint8Array(frame(400));
  whole.set([0x9d, 0x01, 0x2a], 3); // the start code (RFC 6386, section 9.1)
  const out = new Uint8Array(await sealed(whole.buffer));
  assert.notDeepEqual(out.slice(3, 6), whole.slice(3, 6));
});

test("a frame names the key it wants, and what is too short names none", async () => {
  assert.equal(keyId(await sealed(frame(40))), 0xfeedbeef);
  assert.equal(keyId(frame(27)), null);
});

test("a changed bit anywhere is found, in the readable byte too", async () => {
  const whole = await sealed(frame(60));
  for (let at = 0; at < whole.byteLength; at += 1) {
    const bent = new Uint8Array(whole.slice(0));
    bent[at] ^= 1;
    await assert.rejects(open(opening, bent.buffer), undefined, `byte ${at}`);
  }
});

test("the same frame sealed twice looks different", async () => {
  assert.notDeepEqual(new Uint8Array(await sealed(frame(60), 1n)), new Uint8Array(await sealed(frame(60), 2n)));
});
