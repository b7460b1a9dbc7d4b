import assert from "node:assert/strict";
import { test } from "node:test";
import { changes, newAlerts } from "./changes.js";
import { person, room } from "./testing.js";

const keys = (/** @type {import("./state.js").Room} */ before, /** @type {import("./state.js").Room} */ after) => changes(before, after).map(({ key }) => key);

test("who waits, comes and leaves is said", () => {
  const waiting = { id: "p_maja", name: "Maja Granlid", verified: "BankID", since: "", capacity_label: "Kund" };
  assert.deepEqual(changes(room(), room({ lobby: [waiting] })), [{ key: "said.waiting", params: { name: "Maja Granlid" } }]);
  assert.deepEqual(keys(room({ lobby: [waiting] }), room({ people: [person("p_maja")] })), ["said.came"]);
  assert.deepEqual(keys(room({ people: [person("p_maja")] }), room({ people: [person("p_maja", { state: "left" })] })), ["said.left"]);
});

test("who goes from the lobby's page and comes back to it is said, once each", () => {
  const here = room({ lobby: [{ id: "p_maja", name: "Maja Granlid", verified: "BankID", since: "", away_since: null, capacity_label: "Kund" }] });
  const away = room({ lobby: [{ ...here.lobby?.[0], away_since: "2026-11-24T13:07:00Z" }] });
  assert.deepEqual(changes(here, away), [{ key: "said.waiting_away", params: { name: "Maja Granlid" } }]);
  assert.deepEqual(keys(away, away), []);
  assert.deepEqual(keys(away, here), ["said.waiting"]);
  assert.deepEqual(keys(away, room()), []);
});

test("a hand that goes up is said once, and not when it goes down", () => {
  const down = room({ people: [person("p_maja")] });
  const up = room({ people: [person("p_maja", { hand: true })] });
  assert.deepEqual(keys(down, up), ["said.hand"]);
  assert.deepEqual(keys(up, up), []);
  assert.deepEqual(keys(up, down), []);
});

test("a share that starts or stops is said, one that ends because the person left is not said twice", () => {
  const quiet = room({ people: [person("p_maja")] });
  const sharing = room({ people: [person("p_maja", { sharing: true })] });
  assert.deepEqual(keys(quiet, sharing), ["said.shares"]);
  assert.deepEqual(keys(sharing, quiet), ["said.share_ended"]);
  assert.deepEqual(keys(sharing, room()), ["said.left"]);
});

test("a message from somebody else is said, my own is not", () => {
  const message = { id: "c_1", from: "p_maja", name: "Maja Granlid", at: "", text: "Hej" };
  assert.deepEqual(keys(room(), room({ chat: [message] })), ["said.chat"]);
  assert.deepEqual(keys(room(), room({ chat: [{ ...message, from: "p_elin" }] })), []);
});

test("a changed promise is said in full", () => {
  const after = room({ meeting: { ...room().meeting, promise: "Mötet spelas in." } });
  assert.deepEqual(changes(room(), after), [{ key: "said.promise", params: { promise: "Mötet spelas in." } }]);
});

test("nothing changed, nothing said; and what concerns only me is left to the page", () => {
  assert.deepEqual(changes(room(), room()), []);
  assert.deepEqual(keys(room({ people: [person("p_elin")] }), room({ people: [person("p_elin", { hand: true, sharing: true })] })), []);
});

test("only alerts that are new are alerts", () => {
  const first = { sentence: "Vi stoppade delningen.", at: "2026-11-24T13:18:00.000Z" };
  const second = { sentence: "Vi stoppade delningen.", at: "2026-11-24T13:19:00.000Z" };
  assert.deepEqual(newAlerts(room({ alerts: [first] }), room({ alerts: [first, second] })), [second]);
});

test("whose connection broke is away for a moment, and then back", () => {
  const here = room({ people: [person("p_maja")] });
  const away = room({ people: [person("p_maja", { state: "away" })] });
  assert.deepEqual(keys(here, away), ["said.away"]);
  assert.deepEqual(keys(away, away), []);
  assert.deepEqual(keys(away, here), ["said.back"]);
  assert.deepEqual(keys(away, room({ people: [person("p_maja", { state: "left" })] })), []);
});
