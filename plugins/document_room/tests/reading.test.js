// @ts-check
import assert from "node:assert/strict";
import { test } from "node:test";
import { Watch, position } from "../tillit_document_room/static/reading.js";

const VIEW = { top: 100, bottom: 500 };
const clause = (/** @type {string} */ id, state = "open") => ({ id, page: 1, title: id, box: null, state });

test("a clause is in view when most of it is, or when it fills the window", () => {
  assert.equal(position({ top: 150, bottom: 250 }, VIEW), "in");
  assert.equal(position({ top: 440, bottom: 540 }, VIEW), "in");
  assert.equal(position({ top: 480, bottom: 580 }, VIEW), "below");
  assert.equal(position({ top: 0, bottom: 2000 }, VIEW), "in");
});

test("a clause is left behind when all of it is above the window, not while a line is still to be seen", () => {
  assert.equal(position({ top: 0, bottom: 90 }, VIEW), "above");
  assert.equal(position({ top: 0, bottom: 130 }, VIEW), "below");
});

test("a clause is seen once, after enough time in view altogether", () => {
  const watch = new Watch([clause("a")], 2);
  assert.deepEqual(watch.moment(1.5, () => "in").seen, []);
  assert.deepEqual(watch.moment(9, () => "below").seen, []);
  assert.deepEqual(watch.moment(0.5, () => "in").seen, ["a"]);
  assert.deepEqual(watch.moment(5, () => "in").seen, []);
});

test("passing is told once, and never of what was read", () => {
  const watch = new Watch([clause("a"), clause("b", "seen"), clause("c", "none")], 2);
  assert.deepEqual(watch.moment(1, () => "above").past, ["a"]);
  assert.deepEqual(watch.moment(1, () => "above").past, []);
});

test("seconds are told once", () => {
  const watch = new Watch([], 2);
  watch.moment(1.25, () => "in");
  watch.moment(1, () => "in");
  assert.equal(watch.take(), 2.3);
  assert.equal(watch.take(), 0);
});
