import assert from "node:assert/strict";
import { test } from "node:test";
import { bySlot, holder } from "./slots.js";

const own = { audio: ["3", "4"], video: ["10", "11", "12"] };

test("each person's sound, picture and window are found by the slot they were put in", () => {
  const people = bySlot(
    {
      audio: [{ mid: "3", participant: "p_elin" }],
      video: [{ mid: "10", participant: "p_elin", kind: "camera" }, { mid: "12", participant: "p_elin", kind: "share" }],
    },
    own,
  );
  assert.deepEqual(Object.fromEntries(people), { p_elin: { microphone: "3", camera: "10", share: "12" } });
});

test("an empty slot belongs to nobody", () => {
  assert.equal(bySlot({ audio: [{ mid: "3", participant: null }], video: [] }, own).size, 0);
});

test("a slot that is not ours, of the wrong kind, or given twice is left out, so that no face gets another's name", () => {
  const people = bySlot(
    {
      audio: [{ mid: "10", participant: "p_a" }, { mid: "99", participant: "p_b" }],
      video: [{ mid: "10", participant: "p_c", kind: "camera" }, { mid: "10", participant: "p_d", kind: "camera" }, { mid: "11", participant: "p_e", kind: "microphone" }],
    },
    own,
  );
  assert.deepEqual([...people.keys()], ["p_c"]);
});

test("a message without lists empties every slot", () => {
  assert.equal(bySlot({}, own).size, 0);
});

test("the holder of a slot can be asked for", () => {
  const people = bySlot({ video: [{ mid: "11", participant: "p_maja", kind: "camera" }] }, own);
  assert.deepEqual(holder(people, "11"), { participant: "p_maja", kind: "camera" });
  assert.equal(holder(people, "10"), null);
});
