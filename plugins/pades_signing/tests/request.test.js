// @ts-check
import assert from "node:assert/strict";
import { test } from "node:test";
import { matched, parties, smallest } from "../tillit_pades_signing/static/request.js";

test("an amount is asked for in the smallest unit its own currency has", () => {
  assert.equal(smallest(250_000), 25_000_000);
  assert.equal(smallest(1234.05), 123_405);
  assert.equal(smallest(5000, 0), 5000);
  assert.equal(smallest(1234.567, 3), 1_234_567);
});

const maja = { participant: "p_1", way: "", documents: ["a", "b"] };
const samir = { participant: "p_2", way: "eid", documents: ["b"] };

test("those who are asked go out in the order they stand, with what was chosen for each and nothing else", () => {
  assert.deepEqual(parties([samir, maja], ["a", "b"], true), [
    { participant: "p_2", turn: 1, methods: ["eid"], documents: ["b"] },
    { participant: "p_1", turn: 2 },
  ]);
  assert.deepEqual(parties([maja], ["a", "b"], false), [{ participant: "p_1", turn: 1 }]);
  assert.deepEqual(parties([{ ...maja, documents: [] }], [], false), [{ participant: "p_1", turn: 1 }]);
});

test("nobody is asked for nothing, and no document is left without a person", () => {
  assert.ok(matched([maja, samir], ["a", "b"]));
  assert.ok(!matched([samir], ["a", "b"]));
  assert.ok(!matched([maja, { ...samir, documents: [] }], ["a", "b"]));
  assert.ok(matched([{ ...maja, documents: [] }], []));
});
