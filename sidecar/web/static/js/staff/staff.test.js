// @ts-check
import assert from "node:assert/strict";
import { test } from "node:test";

import { outcome } from "./acts.js";
import { missing } from "./book.js";
import { shown, step } from "./combobox.js";
import { newcomers } from "./follow.js";
import { fieldOf, gaps } from "./guests.js";
import { inserted } from "./messages.js";
import { endsSession } from "./said.js";
import { kept } from "./times.js";

test("an act leads to its page, to a sentence, or to a fresh page", () => {
  assert.deepEqual(outcome({ next: "/desk" }, "Sent."), { kind: "go", to: "/desk" });
  assert.deepEqual(outcome({}, "Sent."), { kind: "say", to: "Sent." });
  assert.deepEqual(outcome(null, ""), { kind: "reload", to: "" });
});

test("an act's page on another site is not followed", () => {
  assert.equal(outcome({ next: "//elsewhere.example/" }, "Sent.").kind, "say");
  assert.equal(outcome({ next: "https://elsewhere.example/" }, "").kind, "reload");
});

test("missing answers are named in reading order, spaces are no answer", () => {
  assert.deepEqual(missing({ customer: "", purpose: "  ", starts_at: "" }), ["customer", "purpose", "starts_at"]);
  assert.deepEqual(missing({ customer: "per_1", purpose: "Loan", starts_at: "2026-11-24T14:00" }), []);
});

test("arrows walk the list round and round", () => {
  assert.equal(step(-1, "ArrowDown", 3), 0);
  assert.equal(step(2, "ArrowDown", 3), 0);
  assert.equal(step(-1, "ArrowUp", 3), 2);
  assert.equal(step(0, "ArrowUp", 3), 2);
  assert.equal(step(1, "a", 3), 1);
  assert.equal(step(-1, "ArrowDown", 0), -1);
});

test("a customer stands in the field with the place, where it is known", () => {
  assert.equal(shown({ id: "per_1", name: "Maja Granlid", locality: "Luleå" }), "Maja Granlid, Luleå");
  assert.equal(shown({ id: "per_1", name: "Maja Granlid", locality: "" }), "Maja Granlid");
});

test("only those who were not there before are announced", () => {
  const before = new Map([["p_1", "Maja waits"]]);
  const now = new Map([["p_1", "Maja has waited 1 minute"], ["p_2", "Ture waits"]]);

  assert.deepEqual(newcomers(before, now), ["Ture waits"]);
  assert.deepEqual(newcomers(now, before), []);
});

test("a guest needs the number where an electronic ID is asked for, else the mobile", () => {
  const guest = { name: "Samir", capacity: "observer", email: "samir@example.org", phone: "", national_id: "" };

  assert.deepEqual(gaps(guest, true), ["national_id"]);
  assert.deepEqual(gaps(guest, false), ["phone"]);
  assert.deepEqual(gaps({ ...guest, phone: "+46701740606" }, false), []);
  assert.deepEqual(gaps({ ...guest, name: " ", email: "samir", national_id: "1" }, true), ["name", "email"]);
});

test("a problem without a field of ours belongs to the whole guest", () => {
  assert.equal(fieldOf({ field: "email" }), "email");
  assert.equal(fieldOf({ field: "body" }), "");
  assert.equal(fieldOf({}), "");
});

test("a placeholder is put where the cursor is and replaces what is marked", () => {
  assert.deepEqual(inserted("Hej !", 4, 4, "name"), { text: "Hej {name}!", at: 10 });
  assert.deepEqual(inserted("Hej du!", 4, 6, "name"), { text: "Hej {name}!", at: 10 });
});

test("only a lost session asks for a new sign-in", () => {
  assert.ok(endsSession("not-signed-in"));
  assert.ok(endsSession("csrf"));
  assert.ok(!endsSession("refused"));
});

test("the chosen time stays when it is still free, else the first is chosen", () => {
  const times = [{ value: "a", label: "11.00" }, { value: "b", label: "14.00" }];

  assert.equal(kept(times, "b"), "b");
  assert.equal(kept(times, "c"), "a");
  assert.equal(kept([], "b"), "");
});
