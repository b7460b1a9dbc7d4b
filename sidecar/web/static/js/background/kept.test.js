// @ts-check
import assert from "node:assert/strict";
import { test } from "node:test";

import { readKept } from "./kept.js";

test("before anybody chose the brand's wish holds, afterwards the person's", () => {
  assert.equal(readKept(null, false).on, false);
  assert.equal(readKept(null, true).on, true);
  assert.equal(readKept('{"on":false}', true).on, false);
  assert.deepEqual(readKept('{"on":true,"side":-0.3,"size":0.8}', false), { on: true, side: -0.3, size: 0.8 });
});

test("what cannot be read is as if nothing had been kept", () => {
  for (const text of ["{", "null", "7", '{"on":"yes","side":4}']) assert.deepEqual(readKept(text, true), { on: true, side: 0, size: 0.5 });
});
