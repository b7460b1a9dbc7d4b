// @ts-check
import assert from "node:assert/strict";
import { test } from "node:test";

import { asOutline, MIDDLE, outlined, sharp } from "./outline.js";

const PICTURE = { width: 1280, height: 720 };

test("face and chest are sharp, the corners of the room are not, however the outline lies", () => {
  const face = { x: 640, y: 320 };
  for (const size of [0, 0.5, 1]) {
    const shapes = outlined(PICTURE, { side: 0, size });
    assert.ok(sharp(face, shapes));
    assert.ok(sharp({ x: 640, y: 700 }, shapes));
  }
  for (const side of [-1, 0, 1]) {
    for (const size of [0, 1]) {
      const shapes = outlined(PICTURE, { side, size });
      const corners = [{ x: 5, y: 5 }, { x: 1275, y: 5 }];
      for (const corner of corners) assert.ok(!sharp(corner, shapes), `${side} ${size}`);
    }
  }
});

test("to the right means to the right as one sees oneself, and the head stays in the picture", () => {
  const [right] = outlined(PICTURE, { side: 1, size: 0.5 });
  const [left] = outlined(PICTURE, { side: -1, size: 0.5 });
  assert.ok(right.x < 640 && left.x > 640);
  assert.ok(right.x - right.rx >= -1 && left.x + left.rx <= 1281);
});

test("a phone held upright has an outline too", () => {
  const [head] = outlined({ width: 480, height: 640 }, MIDDLE);
  assert.equal(head.x, 240);
  assert.ok(head.rx * 2 < 480);
});

test("what was kept and cannot be read becomes the outline in the middle", () => {
  for (const found of [null, undefined, 7, {}, { side: "1", size: NaN }, { side: 9, size: -1 }]) assert.deepEqual(asOutline(found), MIDDLE);
  assert.deepEqual(asOutline({ side: -0.5, size: 1 }), { side: -0.5, size: 1 });
});
