// @ts-check
// The frame of the desk: the account's sheet closes on Escape and when one looks elsewhere.

const account = /** @type {HTMLDetailsElement | null} */ (document.getElementById("account"));

addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || !account?.open) return;
  account.open = false;
  account.querySelector("summary")?.focus();
});
addEventListener("pointerdown", (event) => {
  if (account?.open && !account.contains(/** @type {Node} */ (event.target))) account.open = false;
});
account?.addEventListener("focusout", (event) => {
  if (event.relatedTarget && !account.contains(/** @type {Node} */ (event.relatedTarget))) account.open = false;
});
