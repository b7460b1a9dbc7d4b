import assert from "node:assert/strict";
import { test } from "node:test";
import { clock, minutesIn, pageTitle, untilSoon } from "./clock.js";

const NOON = new Date("2026-11-24T12:00:00.000Z");

test("the clock is written the reader's way", () => {
  const at = new Date(2026, 10, 24, 9, 5);
  assert.deepEqual([clock(at, "."), clock(at, ":")], ["09.05", "09:05"]);
});

test("minutes are counted from the start, and not before it", () => {
  assert.equal(minutesIn("2026-11-24T11:42:10.000Z", NOON), 17);
  assert.equal(minutesIn("2026-11-24T12:00:30.000Z", NOON), null);
  assert.equal(minutesIn(null, NOON), null);
});

test("two minutes before the end everybody is told, once and never afterwards", () => {
  assert.equal(untilSoon("2026-11-24T12:10:00.000Z", NOON), 8 * 60_000);
  assert.equal(untilSoon("2026-11-24T12:01:00.000Z", NOON), 0);
  assert.equal(untilSoon("2026-11-24T11:59:00.000Z", NOON), null);
  assert.equal(untilSoon(null, NOON), null);
});

test("the title says first what asks for attention", () => {
  assert.equal(pageTitle({ attention: ["Maja väntar", "Mikrofon av"], meeting: "Bolånemöte", brand: "Exempelbanken" }), "Maja väntar | Bolånemöte | Exempelbanken");
  assert.equal(pageTitle({ attention: [], meeting: "Bolånemöte", brand: "Exempelbanken" }), "Bolånemöte | Exempelbanken");
});
