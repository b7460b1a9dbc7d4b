// @ts-check
import assert from "node:assert/strict";
import { test } from "node:test";

import { digitsOf, drawable, isPhone, launchable } from "./identify.js";

test("a code may be pasted with a space or a dash", () => {
  assert.equal(digitsOf("123 456", 6), "123456");
  assert.equal(digitsOf("Kod: 123-4567", 6), "123456");
  assert.equal(digitsOf("abc", 6), "");
});

test("a drawn code keeps shapes and loses everything else", () => {
  for (const name of ["svg", "path", "rect"]) assert.ok(drawable(name, "element"), name);
  for (const name of ["script", "a", "image", "foreignObject", "style", "use"]) assert.ok(!drawable(name, "element"), name);
  for (const name of ["onload", "href", "xlink:href", "style", "class"]) assert.ok(!drawable(name, "attribute"), name);
});

test("only an app's or a secure page's address is opened", () => {
  assert.ok(launchable("bankid:///?autostarttoken=x"));
  assert.ok(launchable("https://app.bankid.com/?autostarttoken=x"));
  for (const no of ["javascript:alert(1)", "http://elsewhere.example", "data:text/html,x", "", null]) assert.ok(!launchable(no));
});

test("a phone is held in the hand: a coarse pointer and a narrow screen", () => {
  assert.ok(isPhone({ coarse: true, width: 390 }));
  assert.ok(!isPhone({ coarse: true, width: 1280 }));
  assert.ok(!isPhone({ coarse: false, width: 390 }));
});
