import assert from "node:assert/strict";
import { test } from "node:test";
import { measure } from "./stats.js";

const report = (/** @type {any[]} */ ...entries) => new Map(entries.map((entry, index) => [`s${index}`, { type: "inbound-rtp", ...entry }]));
const mids = (/** @type {string | null} */ microphone, /** @type {string | null} */ camera) => ({ microphone, camera, share: null });

test("each person is measured by the slots they sit in", () => {
  const people = new Map([["p_maja", mids("3", "10")], ["p_samir", mids("4", null)]]);
  const measured = measure(
    report({ mid: "3", totalAudioEnergy: 0.5 }, { mid: "10", framesDecoded: 90, frameWidth: 1280, frameHeight: 720 }, { mid: "4", totalAudioEnergy: 0.1 }),
    people,
    new Map(),
  );
  assert.deepEqual(Object.fromEntries(measured), {
    p_maja: { frames: 90, energy: 0.5, width: 1280, height: 720 },
    p_samir: { frames: 0, energy: 0.1, width: 0, height: 0 },
  });
});

test("a slot that changes hands does not lend its old frames to the new person", () => {
  const bases = new Map();
  measure(report({ mid: "10", framesDecoded: 500 }), new Map([["p_maja", mids(null, "10")]]), bases);
  const taken = new Map([["p_samir", mids(null, "10")]]);
  assert.equal(measure(report({ mid: "10", framesDecoded: 510 }), taken, bases).get("p_samir")?.frames, 0);
  assert.equal(measure(report({ mid: "10", framesDecoded: 540 }), taken, bases).get("p_samir")?.frames, 30);
});

test("what is sent, and streams without an m-line, are not counted as received", () => {
  const entries = new Map([["a", { type: "outbound-rtp", mid: "10", framesDecoded: 7 }], ["b", { type: "inbound-rtp", framesDecoded: 7 }]]);
  assert.equal(measure(entries, new Map([["p_maja", mids(null, "10")]]), new Map()).get("p_maja")?.frames, 0);
});
