import assert from "node:assert/strict";
import { test } from "node:test";
import { Exit } from "./exit.js";

/** An exit, and where it led. answer: what the server says to an act, after the line said that the meeting is over. @param {unknown} answer */
function standing(answer) {
  /** @type {string[]} */ const went = [];
  Object.assign(globalThis, { location: { assign: (/** @type {string} */ url) => went.push(url) } });
  const hub = {
    t: (/** @type {string} */ key) => key,
    ask: async () => true,
    alarm: () => {},
    act: async () => {
      exit.go("/v/p_elin/left");
      return answer;
    },
  };
  const exit = new Exit(/** @type {any} */ (hub), { url: "/v/p_elin/left", quiet: () => {}, changed: () => {} });
  return { exit, went };
}

test("whoever ends the meeting comes to its journal, however early the line says that it is over", async () => {
  const { exit, went } = standing({ next: "/desk/meetings/m_1/journal" });
  await exit.endForAll();
  exit.go("/v/p_elin/left");
  assert.deepEqual(went, ["/desk/meetings/m_1/journal"]);
});

test("where a meeting cannot be ended since it is over already, the line leads on", async () => {
  const { exit, went } = standing(null);
  await exit.endForAll();
  assert.deepEqual(went, ["/v/p_elin/left"]);
});

test("whoever leaves is led out once", async () => {
  const { exit, went } = standing({});
  await exit.leave();
  exit.go("/v/p_elin/left");
  assert.deepEqual(went, ["/v/p_elin/left"]);
});

test("another site is never led to", () => {
  const { exit, went } = standing({});
  exit.go("//evil.example/");
  assert.deepEqual(went, []);
});
