import assert from "node:assert/strict";
import { test } from "node:test";
import { initials, label, may, others, proof, refusal, self } from "./state.js";
import { person, room } from "./testing.js";
import { texts } from "./texts.js";

test("what is not granted is refused, with the policy's own sentence", () => {
  assert.equal(may(room(), "chat"), true);
  assert.equal(may(room(), "record"), false);
  assert.equal(refusal(room(), ["share_window", "record"]), "Mötet får inte spelas in.");
  assert.equal(refusal(room(), ["share_window"]), "");
});

test("people who were admitted but are not in the room yet have no tile", () => {
  assert.deepEqual(others(room({ people: [person("p_maja", { state: "admitted" }), person("p_elin"), person("p_samir")] })).map(({ id }) => id), ["p_samir"]);
});

test("a name without a picture becomes two letters", () => {
  assert.deepEqual(["Maja Granlid", "Elin", "åsa von Östh", "  ", "Jean-Luc de la Tour"].map(initials), ["MG", "E", "ÅÖ", "", "JT"]);
});

test("a tile is named by name, part, proof and microphone", () => {
  const t = texts({ "room.tile.mic_on": "mikrofonen är på", "room.tile.camera_off": "kameran är av", "room.you_named": "Du, {name}" });
  assert.equal(label(person("Maja"), { microphone: true, camera: true }, false, t), "Maja Efternamn, kund, BankID, tillitsnivå 3, mikrofonen är på");
  assert.equal(label(person("Maja"), { microphone: null, camera: false }, true, t), "Du, Maja Efternamn, kund, BankID, tillitsnivå 3, kameran är av");
});

test("the customer's proof stands alone; others say their part first", () => {
  assert.equal(proof(person("Maja")), "BankID, tillitsnivå 3");
  assert.equal(proof(person("Samir", { capacity: "observer", capacity_label: "Observatör" })), "Observatör, BankID, tillitsnivå 3");
});

test("I am somebody even before the server lists me", () => {
  assert.equal(self(room()).given, "Elin");
  assert.equal(self(room({ people: [person("p_elin")] })).verified, "BankID, tillitsnivå 3");
});
