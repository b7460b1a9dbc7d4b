// @ts-check
import assert from "node:assert/strict";
import { test } from "node:test";

import { changed } from "./evidence.js";

const FILE = '{\n  "summary": {"meeting": "m_1"},\n  "entries": [\n    {\n      "kind": "meeting.booked"\n    }\n  ],\n  "checkpoint": {\n    "note": "x"\n  }\n}\n';
const bytes = new TextEncoder().encode(FILE);

test("exactly one byte among the entries changes, and the original stays whole", () => {
  for (const chance of [0, 0.3, 0.99]) {
    const found = changed(bytes, () => chance);
    assert.ok(found);
    const places = [...found.bytes.keys()].filter((at) => found.bytes[at] !== bytes[at]);
    assert.deepEqual(places, [found.at]);
    assert.ok(found.at > FILE.indexOf('"entries"') && found.at < FILE.indexOf('"checkpoint"'));
  }
  assert.equal(new TextDecoder().decode(bytes), FILE);
});

test("the file stays JSON, so only the proof can notice", () => {
  const found = changed(bytes, () => 0);
  assert.ok(found);
  assert.equal(JSON.parse(new TextDecoder().decode(found.bytes)).entries[0].kind, "neeting.booked");
});

test("places are counted in bytes where the text before them is not ASCII", () => {
  const swedish = new TextEncoder().encode(FILE.replace("m_1", "Luleå, Skellefteå"));
  const found = changed(swedish, () => 0);
  assert.ok(found);
  assert.equal(JSON.parse(new TextDecoder().decode(found.bytes)).entries[0].kind, "neeting.booked");
});

test("a file without entries is left alone", () => {
  assert.equal(changed(new TextEncoder().encode("{}")), null);
});
