// @ts-check
import assert from "node:assert/strict";
import { test } from "node:test";
import { bars, grouped, money, percent, whole } from "../tillit_calculation/static/figures.js";

test("a whole number is read however its thousands are written", () => {
  for (const text of ["2270000", "2 270 000", "2\u00a0270\u00a0000 kr", "2.270.000", "2,270,000", "2'270’000"]) assert.equal(whole(text), 2270000);
});

test("what is no whole number is null, so that the server says why", () => {
  for (const text of ["", "ett", "1e9", "-1", "<b>", "9".repeat(13)]) assert.equal(whole(text), null);
});

test("figures are written as the reader writes them", () => {
  assert.equal(money("9341.25", "SEK", "sv").replace(/\s/gu, " "), "9 341 kr");
  assert.equal(percent("3.79", "sv").replace(/\s/gu, " "), "3,79 %");
  assert.equal(percent("4.00", "en"), "4.00%");
  assert.equal(grouped(2270000, "nl"), "2.270.000");
});

test("the bars fall from the whole to nothing and stay inside the picture", () => {
  const found = bars([{ left: "50.00" }, { left: "0.00" }], 100, { width: 300, height: 90 });
  assert.deepEqual(found.map(({ height }) => height), [90, 45, 0]);
  assert.ok(found.every(({ x, width }) => x >= 0 && x + width <= 300));
});

test("a loan of nothing draws nothing", () => {
  assert.deepEqual(bars([], 0, { width: 10, height: 10 }).map(({ height }) => height), [0]);
});
