// @ts-check
import assert from "node:assert/strict";
import { test } from "node:test";

import { jumped } from "./wake.js";

test("a clock that jumped means that the computer slept", () => {
  assert.ok(!jumped(4100, false));
  assert.ok(!jumped(13_000, false)); // busy, not asleep
  assert.ok(jumped(16_000, false));
});

test("a hidden page whose timers come once a minute is not asleep", () => {
  assert.ok(!jumped(61_000, true));
  assert.ok(jumped(600_000, true));
});
