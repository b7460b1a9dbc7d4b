import assert from "node:assert/strict";
import { test } from "node:test";

import { announcement, options, surfaceOf } from "./frame.js";

test("what is not known to be a window is not taken for one", () => {
  assert.equal(surfaceOf("window"), "window");
  assert.equal(surfaceOf("browser"), "browser");
  for (const screen of ["screen", "monitor"]) assert.equal(surfaceOf(screen), "monitor");
  for (const other of [undefined, null, "", "proxy", "device", "WINDOW", 1, {}]) assert.equal(surfaceOf(other), "unknown");
});

test("an announcement is told, and nothing else that belongs to no participant", () => {
  assert.equal(announcement({ id: "x", message: '{"type":"tillit-announcement","text":"Hej"}' }), "Hej");
  assert.equal(announcement({ message: { type: "tillit-announcement", text: "Hej" } }), "Hej");
  for (const other of [undefined, {}, { message: "{" }, { message: "null" }, { message: '{"type":"other","text":"x"}' },
    { message: '{"type":"tillit-announcement","text":1}' }]) assert.equal(announcement(other), "");
});

test("the token goes to the frame and the person's choice of devices with it", () => {
  const page = { domain: "meet.bank.example", room: "se-1", plain: false, config: { toolbarButtons: [] }, interface: { A: 1 } };
  const made = options(page, { jwt: "t", lang: "sv", parentNode: /** @type {any} */ (null), camera: false, microphone: true });
  assert.equal(made.jwt, "t");
  assert.equal(made.roomName, "se-1");
  assert.deepEqual(made.configOverwrite, { toolbarButtons: [], startWithAudioMuted: false, startWithVideoMuted: true });
  assert.equal("noSSL" in made, false);
  assert.equal(/** @type {any} */ (options({ ...page, plain: true }, { jwt: "t", lang: "sv", parentNode: /** @type {any} */ (null), camera: true, microphone: true })).noSSL, true);
});
