// @ts-check
import assert from "node:assert/strict";
import { test } from "node:test";

import { counted, fill, minutesSince } from "./words.js";

test("a sentence is filled, and a missing value stays visible", () => {
  assert.equal(fill("{count} min, {name}", { count: 2 }), "2 min, {name}");
  assert.equal(fill("{a}", { a: "{b}", b: "x" }), "{b}");
});

test("one and many are told apart as the language does", () => {
  const forms = { one: "{count} minut", other: "{count} minuter" };
  assert.equal(counted(forms, 1, "sv"), "1 minut");
  assert.equal(counted(forms, 0, "sv"), "0 minuter");
  assert.equal(counted({ other: "{count} x" }, 1, "en"), "1 x");
});

test("whole minutes, never below zero", () => {
  const since = "2026-11-24T12:55:00.000Z";
  assert.equal(minutesSince(since, Date.parse("2026-11-24T12:57:59.000Z")), 2);
  assert.equal(minutesSince(since, Date.parse("2026-11-24T12:54:00.000Z")), 0);
});
