// @ts-check
import assert from "node:assert/strict";
import { test } from "node:test";

import { backoff, eventData, ours } from "./live.js";

test("waits grow from a second to fifteen and are spread", () => {
  assert.equal(backoff(0, 0.5), 1000);
  assert.equal(backoff(3, 0.5), 8000);
  assert.equal(backoff(30, 0.5), 15000);
  assert.ok(backoff(2, 0) < backoff(2, 1));
  assert.ok(backoff(9, 1) <= 17000);
});

test("an event that is no JSON is left out", () => {
  assert.equal(eventData("{"), null);
  assert.deepEqual(eventData('{"a":1}'), { a: 1 });
});

test("the line leads on within this site only", () => {
  assert.ok(ours("/v/p_1/room"));
  for (const away of ["//elsewhere.example", "/\\elsewhere.example", "https://elsewhere.example/", "javascript:1", "", null, 7]) {
    assert.ok(!ours(away), String(away));
  }
});
