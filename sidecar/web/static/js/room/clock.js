// @ts-check
// Times as the reader's language writes them, and how long is left. Pure.

/** Milliseconds before the end when everybody is told. */
const SOON = 120_000;

/** "14.18" in Swedish, "14:18" in English: the separator is one of the page's texts. @param {Date} at @param {string} separator */
export const clock = (at, separator) => `${String(at.getHours()).padStart(2, "0")}${separator}${String(at.getMinutes()).padStart(2, "0")}`;

/** Whole minutes since the start; null before it. @param {string | null} startedAt RFC 3339 @param {Date} now */
export function minutesIn(startedAt, now) {
  const elapsed = startedAt ? now.getTime() - Date.parse(startedAt) : NaN;
  return elapsed >= 0 ? Math.floor(elapsed / 60_000) : null;
}

/**
 * Milliseconds until "two minutes left" should be said; 0 when it is due now; null when it is past or never.
 * @param {string | null} endsAt RFC 3339
 * @param {Date} now
 */
export function untilSoon(endsAt, now) {
  const left = endsAt ? Date.parse(endsAt) - now.getTime() : NaN;
  return left > 0 ? Math.max(0, left - SOON) : null;
}

/**
 * The document's title: what asks for attention first, then the meeting and the bank.
 * @param {{attention: string[], meeting: string, brand: string}} parts
 */
export const pageTitle = ({ attention, meeting, brand }) => [...attention.slice(0, 1), meeting, brand].filter(Boolean).join(" | ");
