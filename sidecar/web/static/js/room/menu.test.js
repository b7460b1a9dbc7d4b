import assert from "node:assert/strict";
import { test } from "node:test";
import { absent, items } from "./menu.js";
import { person, room } from "./testing.js";

const word = (/** @type {string} */ key, params = {}) => [key, ...Object.values(params)].join(" ");
const plain = { roles: false, unread: 0 };
const allowed = (/** @type {string} */ capacity, /** @type {string[]} */ permissions, more = {}) =>
  room({ me: { id: "p_elin", name: "Elin Sjöhage", capacity, permissions, session_until: null }, ...more });
const ids = (/** @type {import("./state.js").Room} */ state) => items(state, plain, word).map(({ id }) => id);

test("whoever may nothing can still see who is here, choose devices and read the keys", () => {
  assert.deepEqual(ids(allowed("observer", [])), ["people", "settings", "roles", "keys"]);
});

test("each right brings its own item, and no other", () => {
  const base = ids(allowed("customer", []));
  const brings = { raise_hand: "hand", chat: "chat", invite_guest: "guests", raise_security: "security", end_meeting: "end" };
  for (const [permission, id] of Object.entries(brings)) {
    assert.deepEqual(ids(allowed("customer", [permission])).filter((one) => !base.includes(one)), [id]);
  }
});

test("the bank's own people may ask to record and are answered; others are not offered it", () => {
  const record = items(allowed("adviser", []), plain, word).find(({ id }) => id === "record");
  assert.deepEqual([record?.refused, record?.picture], [true, "norec"]);
  assert.equal(items(allowed("adviser", ["record"]), plain, word).find(({ id }) => id === "record")?.refused, false);
  assert.ok(!ids(allowed("customer", ["record"])).includes("record"));
});

test("news is counted in words beside what it belongs to", () => {
  const waiting = { id: "p_maja", name: "Maja", verified: "", since: null, capacity_label: "" };
  const away = { ...waiting, id: "p_samir", away_since: "2026-11-24T13:07:00Z" };
  const found = items(allowed("adviser", ["chat", "admit"], { lobby: [waiting, away] }), { roles: true, unread: 2 }, word);
  assert.deepEqual(found.filter(({ id }) => id === "chat" || id === "people").map((one) => one.word), ["menu.chat_unread 2", "menu.people_waiting 1"]);
  assert.equal(found.find(({ id }) => id === "roles")?.ticked, true);
});

test("a hand that is up can be taken down", () => {
  const up = allowed("adviser", ["raise_hand"], { people: [person("p_elin", { hand: true })] });
  assert.equal(items(up, plain, word)[0].word, "menu.hand_down");
});

test("what is not in the menu is said, each sentence once", () => {
  const sentence = "Det går inte här.";
  assert.deepEqual(absent(allowed("customer", [], { refusals: { record: sentence, share_window: sentence } })), [sentence]);
  assert.deepEqual(absent(allowed("adviser", ["record", "share_window"], { refusals: {} })), []);
});
