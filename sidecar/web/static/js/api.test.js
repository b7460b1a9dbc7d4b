// @ts-check
import assert from "node:assert/strict";
import { afterEach, test } from "node:test";

import { ask, firstOf, Problem, problemFrom } from "./api.js";

const realFetch = globalThis.fetch;
const page = { querySelector: () => ({ getAttribute: () => "csrf-value" }), getElementById: () => ({ dataset: { offline: "No network.", failed: "It failed." } }) };
// @ts-ignore: as much of a document as api.js reads
globalThis.document = page;

afterEach(() => { globalThis.fetch = realFetch; });

/** @param {number} status @param {string} body */
function answerWith(status, body) {
  /** @type {any[]} */
  const asked = [];
  // @ts-ignore: a fetch that answers at once
  globalThis.fetch = async (url, options) => {
    asked.push({ url, options });
    return new Response(status === 204 ? null : body, { status });
  };
  return asked;
}

const open = () => new AbortController().signal;

test("a post carries the page's own value and JSON", async () => {
  const asked = answerWith(200, '{"status":"pending"}');
  const found = await ask("/v/p/consent", { method: "POST", body: { version: "4" }, signal: open() });

  assert.deepEqual(found, { status: "pending" });
  assert.equal(asked[0].options.headers["X-Tillit-CSRF"], "csrf-value");
  assert.equal(asked[0].options.body, '{"version":"4"}');
});

test("a get carries no such value", async () => {
  const asked = answerWith(200, "{}");
  await ask("/x", { signal: open() });

  assert.equal(asked[0].options.headers["X-Tillit-CSRF"], undefined);
});

test("an empty answer is null", async () => {
  answerWith(204, "");
  assert.equal(await ask("/x", { method: "POST", body: {}, signal: open() }), null);
});

test("a refusal becomes a Problem with the server's sentence", async () => {
  answerWith(403, '{"type":"/problems#refused","title":"No","status":403,"sentence":"Here it is the adviser who shares."}');
  await assert.rejects(ask("/x", { signal: open() }), (error) =>
    error instanceof Problem && error.slug === "refused" && error.status === 403
    && error.sentence === "Here it is the adviser who shares.");
});

test("an answer that is no JSON still has a sentence", async () => {
  answerWith(502, "<html>Bad gateway</html>");
  await assert.rejects(ask("/x", { signal: open() }), (error) =>
    error instanceof Problem && error.slug === "internal" && error.sentence === "It failed.");
});

test("no network is told as such", async () => {
  globalThis.fetch = async () => { throw new TypeError("failed to fetch"); };
  await assert.rejects(ask("/x", { signal: open() }), (error) =>
    error instanceof Problem && error.slug === "offline" && error.sentence === "No network.");
});

test("an answer that never comes ends after its time", async () => {
  globalThis.fetch = (_, options) => new Promise((_resolve, reject) => {
    options?.signal?.addEventListener("abort", () => reject(new DOMException("", "AbortError")));
  });
  await assert.rejects(ask("/x", { signal: open(), timeout: 5 }), (error) =>
    error instanceof Problem && error.slug === "timeout");
});

test("leaving the page is no failure", async () => {
  const leaving = new AbortController();
  leaving.abort();
  answerWith(200, "{}");
  await assert.rejects(ask("/x", { signal: leaving.signal }), (error) => !(error instanceof Problem));
});

test("a problem's name is what follows the hash", () => {
  assert.equal(problemFrom(401, { type: "https://bank.example/problems#token-spent" }, "x").slug, "token-spent");
  assert.equal(problemFrom(500, "text", "The fallback.").sentence, "The fallback.");
});

test("the first of several ends ends them all", () => {
  const [page, round] = [new AbortController(), new AbortController()];
  const joined = firstOf(page.signal, round.signal);
  assert.ok(!joined.aborted);
  round.abort();
  assert.ok(joined.aborted);
  assert.ok(firstOf(round.signal, page.signal).aborted);
});
