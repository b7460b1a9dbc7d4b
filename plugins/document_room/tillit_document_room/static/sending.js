// @ts-check
// Bringing a file: how far it has come, and what became of it. XMLHttpRequest, since fetch tells no progress.

import { make } from "./dom.js";

/**
 * A button that takes a file.
 * @param {import("./panel.js").Room} room
 * @param {{label: string, hint: string, className?: string, path: () => string, done: (answer: any) => unknown}} how
 */
export function picker(room, { label, hint, className = "line staff", path, done }) {
  const { api } = room;
  const input = make("input", "hidden");
  input.type = "file";
  input.id = `dr-file-${(count += 1)}`;
  input.accept = ".pdf,.png,.jpg,.jpeg,.tif,.tiff,.docx,.xlsx,.pptx,.odt,.ods,.odp,.doc";
  const face = make("label", `btn ${className}`, api.icon("plus"), make("span", "", label));
  face.htmlFor = input.id;
  const words = make("p", "small quiet", hint);
  words.id = `${input.id}-hint`;
  input.setAttribute("aria-describedby", words.id);
  const bar = make("progress", "dr-bar");
  bar.max = 100;
  bar.hidden = true;
  const status = make("p", "small dr-sending");
  status.setAttribute("role", "status");
  input.addEventListener("change", async () => {
    const file = input.files?.[0];
    if (!file) return;
    face.setAttribute("aria-busy", "true");
    bar.hidden = false;
    try {
      const answer = await send(api, path(), file, (percent) => {
        bar.value = percent;
        status.textContent = percent < 100 ? api.t("panel.sending", { percent }) : api.t("panel.checking");
      });
      status.textContent = "";
      await done(answer);
    } catch (error) {
      status.textContent = "";
      api.notice(error instanceof Error && error.message ? error.message : api.t("panel.failed"), { urgent: true });
    } finally {
      bar.hidden = true;
      face.removeAttribute("aria-busy");
      input.value = "";
    }
  });
  return make("div", "dr-picker", input, face, words, bar, status);
}

let count = 0;

/** @param {any} api @param {string} path @param {File} file @param {(percent: number) => void} progress @returns {Promise<any>} */
function send(api, path, file, progress) {
  return new Promise((resolve, reject) => {
    const form = new FormData();
    form.append("file", file);
    const request = new XMLHttpRequest();
    request.open("POST", api.url(path));
    request.setRequestHeader("X-Tillit-CSRF", api.csrf);
    request.setRequestHeader("Accept", "application/json");
    request.upload.addEventListener("progress", (event) => progress(Math.round((100 * event.loaded) / Math.max(1, event.total))));
    request.addEventListener("load", () => {
      const body = parsed(request.responseText);
      if (request.status < 300) resolve(body);
      else reject(new Error(body?.sentence || ""));
    });
    for (const kind of ["error", "abort", "timeout"]) request.addEventListener(kind, () => reject(new Error("")));
    api.signal.addEventListener("abort", () => request.abort(), { once: true });
    request.send(form);
  });
}

/** @param {string} text */
function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
