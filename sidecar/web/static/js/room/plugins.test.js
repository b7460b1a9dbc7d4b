// @ts-check
import assert from "node:assert/strict";
import { test } from "node:test";

import { difference, own } from "./plugins.js";

const panel = (/** @type {string} */ name) => ({ name, plugin: name, icon: "doc", title: name, module: `/static/x/${name}/panel.js`, style: null });

test("a plugin finds its own sentences and no other's", () => {
  const t = own({ "forms.panel.next": "Nästa av {count}", "room.panel.next": "Fel" }, "forms");
  assert.equal(t("panel.next", { count: 3 }), "Nästa av 3");
  assert.equal(t("panel.gone"), "panel.gone");
  assert.equal(t("panel.next"), "Nästa av {count}");
});

test("a value is never filled again", () => {
  assert.equal(own({ "forms.panel.name": "{name} {count}" }, "forms")("panel.name", { name: "{count}", count: 1 }), "{count} 1");
});

test("panels that came and went are told apart by name", () => {
  const { gone, come } = difference([panel("forms"), panel("documents")], [panel("documents"), panel("signing")]);
  assert.deepEqual([gone.map(({ name }) => name), come.map(({ name }) => name)], [["forms"], ["signing"]]);
});
