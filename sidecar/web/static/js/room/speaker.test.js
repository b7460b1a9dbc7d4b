import assert from "node:assert/strict";
import { test } from "node:test";
import { expected, Floor, HOLD, SPEECH } from "./speaker.js";

test("nobody is large because of a cough", () => {
  const floor = new Floor();
  floor.heard("a", 0);
  assert.equal(floor.large(SPEECH - 1), null);
  floor.heard(null, SPEECH - 1);
  assert.equal(floor.large(SPEECH + 5000), null);
});

test("whoever speaks for a second and a half becomes large", () => {
  const floor = new Floor();
  floor.heard("a", 100);
  assert.equal(floor.wait(100), SPEECH);
  assert.equal(floor.large(100 + SPEECH), "a");
  assert.equal(floor.wait(100 + SPEECH), null);
});

test("somebody large stays so for four seconds, however lively the talk", () => {
  const floor = new Floor();
  floor.heard("a", 0);
  assert.equal(floor.large(SPEECH), "a");
  floor.heard("b", SPEECH);
  assert.equal(floor.large(SPEECH + HOLD - 1), "a");
  assert.equal(floor.wait(SPEECH + SPEECH), HOLD - SPEECH);
  assert.equal(floor.large(SPEECH + HOLD), "b");
});

test("silence keeps the last speaker large", () => {
  const floor = new Floor();
  floor.heard("a", 0);
  floor.large(SPEECH);
  floor.heard(null, SPEECH + 1);
  assert.equal(floor.large(60_000), "a");
});

test("somebody who left is not kept large, and the next does not wait out their four seconds", () => {
  const floor = new Floor();
  floor.heard("a", 0);
  floor.large(SPEECH);
  floor.gone("a");
  assert.equal(floor.large(SPEECH), null);
  floor.heard("b", SPEECH);
  assert.equal(floor.large(SPEECH + SPEECH), "b");
});

test("before anybody has spoken the customer sees the adviser, and the adviser the customer", () => {
  assert.equal(expected([{ id: "o", capacity: "observer" }, { id: "e", capacity: "adviser" }]), "e");
  assert.equal(expected([{ id: "o", capacity: "observer" }, { id: "m", capacity: "customer" }]), "m");
  assert.equal(expected([]), null);
});
