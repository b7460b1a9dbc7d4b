import assert from "node:assert/strict";
import { test } from "node:test";
import { listed, texts } from "./texts.js";

test("sentences are filled in as text: what a name contains is never read as another placeholder", () => {
  const t = texts({ "room.said.came": "{name} kom in. {name}" });
  assert.equal(t("said.came", { name: "{name}<b>" }), "{name}<b> kom in. {name}<b>");
  assert.equal(t("said.unknown"), "said.unknown");
  assert.equal(listed(["Maja", "Samir", "Ture"], "sv"), "Maja, Samir och Ture");
});
