// @ts-check
import assert from "node:assert/strict";
import { test } from "node:test";
import { smallest } from "../tillit_pades_signing/static/request.js";

test("an amount is asked for in the smallest unit its own currency has", () => {
  assert.equal(smallest(250_000), 25_000_000);
  assert.equal(smallest(1234.05), 123_405);
  assert.equal(smallest(5000, 0), 5000);
  assert.equal(smallest(1234.567, 3), 1_234_567);
});
