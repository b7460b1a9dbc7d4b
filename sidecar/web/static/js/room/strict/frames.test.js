import assert from "node:assert/strict";
import { test } from "node:test";

import { clearBytes, keyId, open, seal } from "./frames.js";

const key = (/** @type {KeyUsage[]} */ uses) => crypto.subtle.importKey("raw", new Uint8Array(32).fill(7), "AES-GCM", false, uses);
const [sealing, opening] = await Promise.all([key(["encrypt"]), key(["decrypt"])]);
const frame = (/** @type {number} */ length) => Uint8Array.from({ length }, (_, n) => (n * 31) & 255).buffer;
const sealed = (/** @type {ArrayBuffer} */ data, clear = 3, counter = 1n) => seal({ id: 0xfeedbeef, key: sealing }, data, clear, counter);

test("a frame comes out as it went in, whatever its length", async () => {
  for (const length of [0, 1, 2, 3, 4, 10, 11, 1200]) {
    for (const clear of [1, 3, 10]) {
      const data = frame(length);
      assert.deepEqual(await open(opening, await sealed(data, clear), clear), data, `${length} bytes, ${clear} readable`);
    }
  }
});

test("only the first bytes of a frame can be read on the way", async () => {
  const data = frame(400);
  const out = new Uint8Array(await sealed(data, 10));
  assert.deepEqual(out.slice(0, 10), new Uint8Array(data).slice(0, 10));
  assert.notDeepEqual(out.slice(10, 400), new Uint8Array(data).slice(10));
});

test("a frame names the key it wants, and what is too short names none", async () => {
  assert.equal(keyId(await sealed(frame(40))), 0xfeedbeef);
  assert.equal(keyId(frame(27)), null);
});

test("a changed bit anywhere is found, in the readable bytes too", async () => {
  const whole = await sealed(frame(60), 10);
  for (let at = 0; at < whole.byteLength; at += 1) {
    const bent = new Uint8Array(whole.slice(0));
    bent[at] ^= 1;
    await assert.rejects(open(opening, bent.buffer, 10), undefined, `byte ${at}`);
  }
});

test("the same frame sealed twice looks different", async () => {
  assert.notDeepEqual(new Uint8Array(await sealed(frame(60), 3, 1n)), new Uint8Array(await sealed(frame(60), 3, 2n)));
});

test("sound keeps one byte readable, a picture what tells its kind", () => {
  assert.deepEqual([undefined, "delta", "key"].map(clearBytes), [1, 3, 10]);
});
