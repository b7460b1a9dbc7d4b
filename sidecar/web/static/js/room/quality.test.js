import assert from "node:assert/strict";
import { test } from "node:test";
import { asLevel, budget, cameraWish, plan, STEPS, stepped, told } from "./quality.js";

test("a weak network takes resolution before it takes frames", () => {
  const [good, weak] = [plan("good"), plan("weak")];
  assert.ok(weak.scale > 2 && weak.maxFramerate / good.maxFramerate > 0.75);
  assert.equal(good.scale, 1);
});

test("a weak picture is about 270 lines high whatever the camera gives, and a small one is not enlarged", () => {
  assert.equal(Math.round(1080 / plan("weak", 1080).scale), 270);
  assert.equal(Math.round(720 / plan("weak", 720).scale), 270);
  assert.equal(plan("weak", 180).scale, 1);
});

test("as the rate falls, lines go first, then frames, and never the other way round", () => {
  const seen = [900_000, 400_000, 150_000, 95_000, 50_000].map((bits) => plan("good", 1080, stepped(0, bits)));
  assert.deepEqual(seen.map(({ scale }) => Math.round(1080 / scale)), [1080, 360, 270, 180, 180]);
  assert.deepEqual(seen.map(({ maxFramerate }) => maxFramerate), [30, 30, 30, 24, 12]);
});

test("a picture gives way at once and comes back step by step, with room to spare", () => {
  assert.equal(stepped(0, 60_000), STEPS.length - 1);
  assert.equal(stepped(4, 2_000_000), 3);
  assert.equal(stepped(2, 1.1 * STEPS[1].from), 2);
  assert.equal(stepped(2, 1.5 * STEPS[1].from), 1);
  assert.equal(stepped(0, 2_000_000), 0);
});

test("one reading that differs from the one before it changes nothing", () => {
  assert.equal(stepped(0, 60_000, 2_000_000), 0);
  assert.equal(stepped(3, 2_000_000, 60_000), 3);
});

test("a sender that says nothing keeps its picture as it is", () => {
  assert.equal(stepped(3, undefined), 3);
  const report = new Map([["a", { type: "outbound-rtp", mid: "1", targetBitrate: 300_000 }], ["b", { type: "inbound-rtp", mid: "1" }]]);
  assert.equal(budget(report, "1"), 300_000);
  assert.equal(budget(report, "2"), undefined);
});

test("sound only sends no picture", () => {
  assert.equal(plan("sound_only").camera, false);
});

test("a strong computer's camera is asked for 1080p, another's for 720p, and each may give 1080p", () => {
  assert.deepEqual([undefined, 2, 7, 8, 16].map((threads) => cameraWish(threads).height.ideal), [720, 720, 720, 1080, 1080]);
  assert.deepEqual(Object.values(cameraWish(8)).map(({ max }) => max), [1920, 1080, 30]);
  assert.equal(plan("good", 1080).scale, 1);
});

test("each change of level has its own sentence, and no change has none", () => {
  assert.equal(told("good", "weak"), "quality.weak");
  assert.equal(told("weak", "sound_only"), "quality.sound_only");
  assert.equal(told("sound_only", "weak"), "quality.picture_again");
  assert.equal(told("weak", "good"), "quality.good_again");
  assert.equal(told("good", "good"), null);
});

test("a word the bridge never says takes nobody's picture away", () => {
  assert.deepEqual([asLevel("weak"), asLevel("sound_only"), asLevel("terrible"), asLevel(undefined)], ["weak", "sound_only", "good", "good"]);
});
