import assert from "node:assert/strict";
import { test } from "node:test";
import { line, toneFor } from "./recording.js";

const word = (/** @type {string} */ key, params = {}) => [key, ...Object.values(params)].join(" ");
const running = { id: "rec_1", state: "running", asker: false, mine: true, waiting: [], purpose: "P", law: "", until: "U" };

test("without a recording there is no line", () => {
  assert.equal(line(null, word), null);
});

test("a running recording says for what, under which law and until when", () => {
  assert.deepEqual(line(running, word), { words: "record.on P", rest: "record.rest U", act: "withdraw" });
  assert.equal(line({ ...running, law: "L" }, word)?.rest, "record.rest_law L U");
});

test("each person has their own way out: stop, take back, answer", () => {
  assert.equal(line({ ...running, asker: true }, word)?.act, "stop");
  assert.equal(line({ ...running, asker: true, state: "asking" }, word)?.act, "cancel");
  assert.equal(line({ ...running, mine: null }, word)?.act, "reply");
});

test("who has not answered is named", () => {
  assert.equal(line({ ...running, state: "paused", waiting: ["Maja", "Ture"] }, word)?.words, "record.paused Maja, Ture");
});

test("a pause nobody's answer is missing for is a wait", () => {
  assert.match(line({ ...running, state: "paused", waiting: [] }, word)?.words ?? "", /^record\.waiting/);
});

test("a tone is heard when it begins, goes on or ends, and at nothing else", () => {
  assert.deepEqual(
    [[undefined, "running"], ["paused", "running"], ["running", undefined], ["running", "paused"], ["running", "running"], [undefined, "asking"]]
      .map(([before, after]) => toneFor(before, after)),
    ["begins", "begins", "ends", "ends", null, null],
  );
});
