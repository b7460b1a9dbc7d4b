// @ts-check
import assert from "node:assert/strict";
import { test } from "node:test";

import { Pace, SIZES } from "./pace.js";

/** @param {Pace} pace @param {number} milliseconds @param {number} frames */
const said = (pace, milliseconds, frames) => [...Array(frames)].map(() => pace.took(milliseconds)).filter((word) => word !== "on");

test("a device that keeps up is left alone, also when one frame stumbles", () => {
  const pace = new Pace();
  assert.deepEqual(said(pace, 12, 200), []);
  assert.deepEqual(said(pace, 300, 1), []);
  assert.deepEqual(said(pace, 12, 200), []);
  assert.equal(pace.size, 1);
});

test("a device that does not keep up makes the picture smaller, step by step, and then goes on", () => {
  const pace = new Pace();
  assert.deepEqual(said(pace, 90, 300), ["smaller", "smaller"]);
  assert.equal(pace.size, SIZES.at(-1));
});

test("only what is hopeless at the smallest size is given up", () => {
  const pace = new Pace();
  const words = said(pace, 400, 100);
  assert.deepEqual(words.slice(0, 3), ["smaller", "smaller", "over"]);
});

test("getting ready for a size is not held against it", () => {
  const pace = new Pace();
  said(pace, 2000, 3);
  assert.deepEqual(said(pace, 10, 100), []);
});

test("a device that was busy for a moment gets its picture back, one that stumbles again is tried more seldom", () => {
  const pace = new Pace();
  const frames = (/** @type {number} */ milliseconds, /** @type {string} */ word) => {
    let count = 1;
    while (pace.took(milliseconds) !== word) count += 1;
    return count;
  };
  frames(90, "smaller");
  assert.deepEqual(said(pace, 20, 2000), [], "what is well but not easy stays");
  const first = frames(5, "larger");
  assert.equal(pace.size, 1);
  frames(90, "smaller");
  assert.ok(frames(5, "larger") > 1.8 * first);
});
