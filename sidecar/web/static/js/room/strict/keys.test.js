import assert from "node:assert/strict";
import { test } from "node:test";

import { bytes64, code, fingerprint, Keys, text64 } from "./keys.js";

const meeting = "m_x";
const make = (/** @type {string} */ me, where = meeting) => Keys.make({ me, meeting: where });
const [elin, maja, samir] = await Promise.all(["p_elin", "p_maja", "p_samir"].map((me) => make(me)));
const sends = (/** @type {Keys} */ keys, /** @type {string} */ id) => ({ id, key: keys.own });
const { frame, sealed } = await elin.fresh([sends(maja, "p_maja"), sends(samir, "p_samir")]);

test("each of those it was wrapped for gets the same key, and opens what was sealed with it", async () => {
  const iv = new Uint8Array(12);
  const secret = await crypto.subtle.encrypt({ name: "AES-GCM", iv }, frame.key, new Uint8Array([1, 2, 3]));
  for (const [keys, id] of /** @type {const} */ ([[maja, "p_maja"], [samir, "p_samir"]])) {
    const got = await keys.unwrap(sends(elin, "p_elin"), sealed[id]);
    assert.equal(got.id, frame.id);
    assert.deepEqual(new Uint8Array(await crypto.subtle.decrypt({ name: "AES-GCM", iv }, got.key, secret)), new Uint8Array([1, 2, 3]));
  }
});

test("a key wrapped for one is of no use to another", async () => {
  await assert.rejects(samir.unwrap(sends(elin, "p_elin"), sealed.p_maja));
});

test("a key is refused when it is said to come from somebody else, or to be for another meeting", async () => {
  await assert.rejects(maja.unwrap({ id: "p_samir", key: elin.own }, sealed.p_maja));
  await assert.rejects(maja.unwrap({ id: "p_elin", key: samir.own }, sealed.p_maja));
  const elsewhere = await make("p_elin", "m_y");
  const other = await elsewhere.fresh([sends(maja, "p_maja")]);
  await assert.rejects(maja.unwrap(sends(elsewhere, "p_elin"), other.sealed.p_maja));
});

test("every key is another one", async () => {
  const again = await elin.fresh([sends(maja, "p_maja")]);
  assert.notEqual(again.sealed.p_maja, sealed.p_maja);
  assert.notEqual(again.frame.id, frame.id);
});

const holders = [
  { id: "p_elin", name: "Elin Sjöhage", level: "staff", key: elin.own },
  { id: "p_maja", name: "Maja Granlid", level: "bankid/high", key: maja.own },
];

test("all see the same code, in whatever order they know each other", async () => {
  const mine = await code(meeting, holders);
  assert.deepEqual(mine, await code(meeting, [...holders].reverse()));
  assert.equal(mine.length, 5);
  for (const group of mine) assert.match(group, /^\d{4}$/u);
});

test("another key, another name, another level or another meeting makes another code", async () => {
  const mine = await code(meeting, holders);
  for (const changed of [{ key: samir.own }, { name: "Maja Granlind" }, { level: "" }, { id: "p_samir" }]) {
    assert.notDeepEqual(await code(meeting, [holders[0], { ...holders[1], ...changed }]), mine, JSON.stringify(changed));
  }
  assert.notDeepEqual(await code("m_y", holders), mine);
});

test("a fingerprint is the beginning of the digest the evidence names", async () => {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes64(elin.own)));
  assert.equal((await fingerprint(elin.own)).replaceAll(" ", ""), Buffer.from(digest.slice(0, 8)).toString("hex"));
});

test("bytes become text and come back", () => {
  const bytes = Uint8Array.from({ length: 256 }, (_, n) => n);
  assert.deepEqual(bytes64(text64(bytes)), bytes);
});
