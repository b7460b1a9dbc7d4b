import assert from "node:assert/strict";
import { test } from "node:test";
import { constraints, judged } from "./share.js";

test("a window may be shown, and so may a tab", () => {
  assert.equal(judged("window", false), "allowed");
  assert.equal(judged("browser", false), "allowed");
});

test("a whole screen may not, unless the policy says so", () => {
  assert.equal(judged("monitor", false), "screen");
  assert.equal(judged("monitor", true), "allowed");
});

test("what the browser does not name is not taken for a window", () => {
  for (const surface of [undefined, "", "application", "screen", "Window"]) assert.equal(judged(surface, true), "unknown");
});

test("the browser is asked for one window, no sound, not this page, and no switch on the way", () => {
  const wishes = constraints(false);
  assert.equal(wishes.video.displaySurface, "window");
  assert.deepEqual([wishes.audio, wishes.selfBrowserSurface, wishes.surfaceSwitching, wishes.monitorTypeSurfaces], [false, "exclude", "exclude", "exclude"]);
  assert.equal(constraints(true).monitorTypeSurfaces, "include");
});
