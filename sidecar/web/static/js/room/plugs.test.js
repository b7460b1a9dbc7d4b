// @ts-check
import assert from "node:assert/strict";
import { test } from "node:test";

import { added, has, labelOf, realId } from "./plugs.js";

const mic = (/** @type {string} */ deviceId, groupId = deviceId, label = `Mikrofon ${deviceId}`) => ({ deviceId, groupId, label, kind: "audioinput" });
const BUILT_IN = mic("inner");
const HEADSET = mic("headset", "g1");
const DEFAULT = mic("default", "g1", "Default - Mikrofon headset");

test("a role's name is traced to the device that has it now", () => {
  assert.equal(realId([DEFAULT, BUILT_IN, HEADSET], "audioinput", "default"), "headset");
  assert.equal(realId([BUILT_IN], "audioinput", "default"), "default");
  assert.equal(realId([DEFAULT, HEADSET], "audioinput", "inner"), "inner");
});

test("what came is told, once, and never under a role's name", () => {
  assert.deepEqual(added([BUILT_IN], [DEFAULT, BUILT_IN, HEADSET], "audioinput"), [HEADSET]);
  assert.deepEqual(added([BUILT_IN, HEADSET], [BUILT_IN], "audioinput"), []);
  assert.deepEqual(added([BUILT_IN], [BUILT_IN, HEADSET], "videoinput"), []);
});

test("names that come with the first yes are not new devices", () => {
  assert.deepEqual(added([mic("", "", "")], [BUILT_IN, HEADSET], "audioinput"), []);
  assert.deepEqual(added([], [BUILT_IN], "audioinput"), []);
});

test("nothing is ever found under no name", () => {
  assert.ok(has([HEADSET], "audioinput", "headset"));
  assert.ok(!has([mic("")], "audioinput", ""));
  assert.ok(!has([HEADSET], "audiooutput", "headset"));
  assert.equal(labelOf([HEADSET], "audioinput", "gone"), "");
});
