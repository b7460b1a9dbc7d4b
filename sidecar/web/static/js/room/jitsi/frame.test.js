import assert from "node:assert/strict";
import { test } from "node:test";

import { announcement, Frame, options, surfaceOf } from "./frame.js";

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

test("a microphone that is let go before Jitsi has told that it opened is closed again, and each wish is sent once", async () => {
  /** @type {string[]} */
  const commands = [];
  /** @type {Map<string, (data: any) => void>} */
  const listeners = new Map();
  const nothing = () => {};
  /** @type {any} */ (globalThis).JitsiMeetExternalAPI = class {
    addListener(/** @type {string} */ event, /** @type {(data: any) => void} */ act) { listeners.set(event, act); }
    executeCommand(/** @type {string} */ name) { commands.push(name); }
    getIFrame() { return {}; }
    dispose() {}
  };
  const frame = new Frame({ domain: "", room: "r", plain: false, config: {}, interface: {} }, { parent: /** @type {any} */ (null), title: "", lang: "sv" }, {
    token: async () => "t", state: nothing, refused: nothing, changed: nothing, shared: nothing, trouble: nothing, announced: nothing, media: nothing,
  });
  frame.start();
  await new Promise((done) => { setTimeout(done); });

  frame.turn("microphone", true);
  frame.turn("microphone", true);
  assert.deepEqual(commands, ["toggleAudio"]);
  frame.turn("microphone", false);
  assert.deepEqual(commands, ["toggleAudio", "toggleAudio"]);
  listeners.get("audioMuteStatusChanged")?.({ muted: false });
  listeners.get("audioMuteStatusChanged")?.({ muted: true });
  frame.turn("microphone", false);
  assert.equal(commands.length, 2);
  frame.turn("microphone", true);
  assert.equal(commands.length, 3);
  frame.stop();
});
