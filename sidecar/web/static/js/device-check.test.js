// @ts-check
import assert from "node:assert/strict";
import { test } from "node:test";

import { browserFamily, deviceState, loudness, meterLevel, networkVerdict, nextDevice, readChoice } from "./device-check.js";

test("why a device did not open is told apart", () => {
  assert.equal(deviceState(new DOMException("", "NotAllowedError")), "denied");
  assert.equal(deviceState(new DOMException("", "NotReadableError")), "busy");
  assert.equal(deviceState(new DOMException("", "NotFoundError")), "none");
  assert.equal(deviceState("?"), "none");
});

test("the meter is dark in silence, four of six for speech, full for a shout", () => {
  assert.equal(meterLevel(0), 0);
  assert.equal(meterLevel(Number.NaN), 0);
  assert.equal(meterLevel(0.0005), 0);
  assert.equal(meterLevel(0.03), 4);
  assert.equal(meterLevel(1), 6);
});

test("loudness is the root of the mean square", () => {
  assert.equal(loudness(new Float32Array([1, -1, 1, -1])), 1);
  assert.equal(loudness(new Float32Array()), 0);
});

test("the network is judged by its middle answer and by what the browser knows", () => {
  assert.equal(networkVerdict({ milliseconds: [40, 3000, 60], online: true }), "good");
  assert.equal(networkVerdict({ milliseconds: [700, 600, 800], online: true }), "weak");
  assert.equal(networkVerdict({ milliseconds: [40, 40, 40], online: true, downlink: 0.2 }), "very_weak");
  assert.equal(networkVerdict({ milliseconds: [40], online: true, downlink: 0 }), "good");
  assert.equal(networkVerdict({ milliseconds: [40], online: true, saveData: true }), "weak");
  assert.equal(networkVerdict({ milliseconds: [], online: true }), "offline");
  assert.equal(networkVerdict({ milliseconds: [40], online: false }), "offline");
});

test("each browser gets its own instructions", () => {
  const chrome = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36";
  const mac = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Safari/605.1.15";
  assert.equal(browserFamily(chrome), "chrome");
  assert.equal(browserFamily(`${chrome} Edg/140.0`), "chrome");
  assert.equal(browserFamily(mac), "safari");
  assert.equal(browserFamily(mac, 5), "ios");
  assert.equal(browserFamily("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) CriOS/140.0 Safari/604.1"), "ios");
  assert.equal(browserFamily("Mozilla/5.0 (Linux; Android 15) Chrome/140.0 Mobile Safari/537.36"), "android");
  assert.equal(browserFamily("Mozilla/5.0 (Windows NT 10.0; rv:140.0) Gecko/20100101 Firefox/140.0"), "firefox");
  assert.equal(browserFamily("curl/8"), "other");
});

test("changing goes round the devices", () => {
  const devices = [{ deviceId: "a" }, { deviceId: "b" }];
  assert.equal(nextDevice(devices, "a"), "b");
  assert.equal(nextDevice(devices, "b"), "a");
  assert.equal(nextDevice(devices, "gone"), "a");
  assert.equal(nextDevice([], "a"), "");
});

test("a kept choice that cannot be read becomes the default", () => {
  assert.deepEqual(readChoice(null), { camera: true, microphone: true, cameraId: "", microphoneId: "" });
  assert.deepEqual(readChoice("{"), readChoice(null));
  assert.deepEqual(readChoice('{"camera":false,"cameraId":7}'), { ...readChoice(null), camera: false });
});
