import assert from "node:assert/strict";
import { test } from "node:test";
import { asLevel, CAMERA, plan, told } from "./quality.js";

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

test("sound only sends no picture", () => {
  assert.equal(plan("sound_only").camera, false);
});

test("the camera is asked for 720p and may give 1080p", () => {
  assert.deepEqual([CAMERA.height.ideal, CAMERA.height.max], [720, 1080]);
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
