import assert from "node:assert/strict";
import { test } from "node:test";
import { step } from "./dom.js";
import { command } from "./keyboard.js";

const plain = { shiftKey: false, ctrlKey: false, altKey: false, metaKey: false };
const page = { inField: false, single: false, boxOpen: false };

test("single keys do nothing until they are switched on", () => {
  for (const key of ["0", "1", "2", "3", "4", "?"]) {
    assert.equal(command({ ...plain, key }, page), null);
    assert.notEqual(command({ ...plain, key }, { ...page, single: true }), null);
  }
});

test("single keys never work inside a field, nor together with the system's own keys", () => {
  assert.equal(command({ ...plain, key: "2" }, { ...page, single: true, inField: true }), null);
  for (const held of ["ctrlKey", "altKey", "metaKey"]) assert.equal(command({ ...plain, key: "1", [held]: true }, { ...page, single: true }), null);
});

test("F6 and Escape work without being switched on, also from a field", () => {
  assert.equal(command({ ...plain, key: "F6" }, { ...page, inField: true }), "cycle");
  assert.equal(command({ ...plain, key: "F6", shiftKey: true }, page), "cycle-back");
  assert.equal(command({ ...plain, key: "Escape" }, { ...page, inField: true }), "close");
});

test("while a question is asked, keys belong to the question", () => {
  assert.equal(command({ ...plain, key: "Escape" }, { ...page, boxOpen: true }), null);
  assert.equal(command({ ...plain, key: "1" }, { ...page, single: true, boxOpen: true }), null);
});

test("arrows walk round a group, Home and End go to its ends, other keys stay", () => {
  assert.deepEqual(["ArrowRight", "ArrowDown", "ArrowLeft", "ArrowUp", "Home", "End"].map((key) => step(key, 3, 4)), [0, 0, 2, 2, 0, 3]);
  assert.equal(step("ArrowLeft", 0, 4), 3);
  assert.equal(step("a", 0, 4), null);
  assert.equal(step("ArrowRight", -1, 0), null);
});
