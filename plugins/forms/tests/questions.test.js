// @ts-check
import assert from "node:assert/strict";
import { test } from "node:test";
import { autofill, keyboard, shape } from "../tillit_forms/static/questions.js";

const QUESTION = /** @type {any} */ ({ name: "amount", kind: "money", mine: true, value: "1" });

test("a phone shows the keys the field asks for", () => {
  assert.deepEqual(["money", "percent", "number", "personal_number", "phone", "email", "text"].map(keyboard),
    ["decimal", "decimal", "numeric", "numeric", "tel", "email", "text"]);
});

test("a browser fills in addresses and nothing else by itself", () => {
  assert.deepEqual(["email", "phone", "personal_number", "text"].map(autofill), ["email", "tel", "off", "off"]);
});

test("a new answer keeps the field in place, a new kind of field does not", () => {
  assert.equal(shape(QUESTION), shape({ ...QUESTION, value: "2", n: 7, problem: "x" }));
  assert.notEqual(shape(QUESTION), shape({ ...QUESTION, mine: false }));
  assert.notEqual(shape(QUESTION), shape({ ...QUESTION, choices: [{ value: "a", label: "A" }] }));
});
