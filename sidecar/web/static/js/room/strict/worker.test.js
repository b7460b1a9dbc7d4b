import assert from "node:assert/strict";
import { mock, test } from "node:test";

import { seal } from "./frames.js";

const worker = /** @type {any} */ (globalThis);
Object.assign(worker, { self: worker, onmessage: null });
/** @type {{owner: string}[]} */
const told = [];
worker.postMessage = (/** @type {{owner: string}} */ word) => told.push(word);
await import("./worker.js");

const key = (/** @type {number} */ filled, /** @type {KeyUsage} */ use) => crypto.subtle.importKey("raw", new Uint8Array(32).fill(filled), "AES-GCM", false, [use]);
const say = (/** @type {object} */ data) => worker.onmessage({ data });
const receive = async (/** @type {string} */ owner, /** @type {number} */ id, /** @type {number} */ filled) => say({ type: "receive", owner, key: { id, key: await key(filled, "decrypt") } });
let counter = 0n;
const frame = async (/** @type {number} */ id, /** @type {number} */ filled) => seal({ id, key: await key(filled, "encrypt") }, new Uint8Array([9, 9, 9]).buffer, ++counter);

/** What comes out of a line when these frames go in. @param {ArrayBuffer[]} frames */
async function through(...frames) {
  /** @type {number[][]} */
  const out = [];
  const { readable, writable } = new TransformStream();
  /** @type {(value?: unknown) => void} */
  let over = () => undefined;
  const end = new Promise((resolve) => (over = resolve));
  const sink = new WritableStream({ write: (/** @type {{data: ArrayBuffer}} */ { data }) => void out.push([...new Uint8Array(data)]), close: () => over() });
  worker.onrtctransform({ transformer: { options: { side: "receive", line: 0 }, readable, writable: sink, sendKeyFrameRequest: async () => undefined } });
  const writer = writable.getWriter();
  for (const data of frames) await writer.write({ type: "key", data });
  await writer.close();
  await end;
  return out.length;
}

test("a key that was replaced opens what was on the way, and nothing after that", async () => {
  const now = mock.method(performance, "now", () => 1000);
  await receive("elin", 1, 1);
  await receive("elin", 2, 2);
  assert.equal(await through(await frame(1, 1), await frame(2, 2)), 2);

  now.mock.mockImplementation(() => 7000);
  assert.equal(await through(await frame(1, 1)), 0);
  assert.equal(await through(await frame(2, 2)), 1);
  now.mock.restore();
});

test("of one person no more than two keys are held, however often they change", async () => {
  for (let each = 10; each < 20; each += 1) await receive("maja", each, each);

  assert.equal(await through(await frame(17, 17)), 0);
  assert.equal(await through(await frame(18, 18), await frame(19, 19)), 2);
});

test("a key under somebody else's id shuts nobody out, and its frames are its owner's", async () => {
  await receive("samir", 30, 30);
  await receive("mallory", 30, 31);

  told.length = 0;
  assert.equal(await through(await frame(30, 30)), 1);
  assert.equal(await through(await frame(30, 31)), 1);
  assert.deepEqual(told.map(({ owner }) => owner), ["samir", "mallory"]);
});

test("what somebody sends who is no longer here is dropped", async () => {
  await receive("gone", 40, 40);
  say({ type: "forget", owners: ["elin"] });

  assert.equal(await through(await frame(40, 40)), 0);
});
