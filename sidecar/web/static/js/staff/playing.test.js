import assert from "node:assert/strict";
import { test } from "node:test";
import { nextPart, position } from "./playing.js";

const with_ = (/** @type {number[]} */ ...parts) => (/** @type {number} */ part) => parts.includes(part);

test("parts are fetched from where one looks, as far ahead as is needed and no further", () => {
  assert.equal(nextPart(0, 4, 100, with_()), 0);
  assert.equal(nextPart(0, 4, 100, with_(0, 1)), 2);
  assert.equal(nextPart(0, 4, 100, with_(0, 1, 2)), -1);
  assert.equal(nextPart(41, 4, 100, with_(0, 1, 2)), 10);
});

test("nothing is asked for beyond the end", () => {
  assert.equal(nextPart(6, 4, 2, with_(1)), -1);
  assert.equal(nextPart(-1, 4, 1, with_()), 0);
});

test("a position is said as clocks say it", () => {
  assert.deepEqual([0, 8_999, 61_000, 3_723_000].map(position), ["0:00", "0:08", "1:01", "1:02:03"]);
});
