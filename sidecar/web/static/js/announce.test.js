// @ts-check
import assert from "node:assert/strict";
import { test } from "node:test";

import { paced } from "./announce.js";

/** A clock that a test moves. */
function clock() {
  let now = 0;
  /** @type {{at: number, act: () => void}[]} */
  const plans = [];
  return {
    now: () => now,
    later: (/** @type {() => void} */ act, /** @type {number} */ delay) => plans.push({ at: now + delay, act }),
    pass: (/** @type {number} */ milliseconds) => {
      now += milliseconds;
      for (const plan of plans.splice(0)) if (plan.at <= now) plan.act(); else plans.push(plan);
    },
  };
}

test("the first sentence is said at once", () => {
  /** @type {string[]} */
  const said = [];
  paced((sentence) => said.push(sentence), clock())("one");

  assert.deepEqual(said, ["one"]);
});

test("of several that come close, the last is said when three seconds have passed", () => {
  /** @type {string[]} */
  const said = [];
  const time = clock();
  const say = paced((sentence) => said.push(sentence), time);
  say("one");
  time.pass(500);
  say("two");
  say("three");
  time.pass(2400);
  assert.deepEqual(said, ["one"]);
  time.pass(100);
  assert.deepEqual(said, ["one", "three"]);
});

test("what comes after a pause is not held back", () => {
  /** @type {string[]} */
  const said = [];
  const time = clock();
  const say = paced((sentence) => said.push(sentence), time);
  say("one");
  time.pass(3000);
  say("two");

  assert.deepEqual(said, ["one", "two"]);
});
