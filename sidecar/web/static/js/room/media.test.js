import assert from "node:assert/strict";
import { test } from "node:test";
import { Problem } from "../api.js";
import { trouble } from "./devices.js";
import { passing } from "./media.js";

const problem = (/** @type {number} */ status) => new Problem({ slug: "x", status, sentence: "" });

test("a network that is away and a server that is busy or broken are asked again", () => {
  for (const status of [0, 408, 425, 429, 500, 503]) assert.equal(passing(problem(status)), true, String(status));
  assert.equal(passing(new DOMException("the answer did not fit", "OperationError")), true);
});

test("a refusal is an answer: it is not asked again", () => {
  for (const status of [400, 401, 403, 404, 409, 410]) assert.equal(passing(problem(status)), false, String(status));
});

test("a device that does not open is explained by its reason", () => {
  const names = ["NotAllowedError", "NotFoundError", "OverconstrainedError", "NotReadableError", "TypeError"];
  assert.deepEqual(names.map((name) => trouble("camera", name)), ["denied", "missing", "missing", "busy", "failed"].map((end) => `device.camera.${end}`));
  assert.equal(trouble("microphone", "SecurityError"), "device.microphone.denied");
});
