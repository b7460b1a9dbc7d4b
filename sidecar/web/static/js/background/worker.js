// @ts-check
// Runs beside the page: every picture of the camera comes in here, and only what the painter made goes out.

import { Pace } from "./pace.js";
import { Painter, smaller } from "./painter.js";

/** @type {Painter | null} */
let painter = null;

onmessage = ({ data }) => {
  if (data.type === "outline" && painter) painter.outline = data.outline;
  else if (data.type === "start") {
    painter = new Painter(({ width, height }) => new OffscreenCanvas(width, height), data.outline);
    void run(data.readable.getReader(), data.writable.getWriter(), painter);
  }
};

/** @param {ReadableStreamDefaultReader<any>} reader @param {WritableStreamDefaultWriter<any>} writer @param {Painter} painter */
async function run(reader, writer, painter) {
  const pace = new Pace();
  let first = true;
  try {
    for (;;) {
      const { value: frame, done } = await reader.read();
      if (done) break;
      const begun = performance.now();
      const size = smaller({ width: frame.displayWidth, height: frame.displayHeight }, pace.size);
      /** @type {any} */
      let made;
      try {
        made = new VideoFrame(painter.paint(frame, size), { timestamp: frame.timestamp });
      } finally {
        frame.close();
      }
      await writer.write(made);
      if (first) postMessage({ type: "running" });
      first = false;
      if (pace.took(performance.now() - begun) === "over") throw new Error("too slow");
    }
    postMessage({ type: "ended" });
  } catch {
    postMessage({ type: "broken" });
  } finally {
    await reader.cancel().catch(() => undefined);
    await writer.close().catch(() => undefined);
  }
}
