// @ts-check
// What every page does: the heading is read first after a click, menus close on Escape, the network strip tells.

/** Closes menus made of details when one presses Escape or looks elsewhere. @param {ParentNode} root */
function closeMenus(root) {
  const menus = /** @type {HTMLDetailsElement[]} */ ([...root.querySelectorAll("details.languages")]);
  addEventListener("keydown", (event) => {
    const open = menus.find((menu) => menu.open);
    if (event.key !== "Escape" || !open) return;
    open.open = false;
    open.querySelector("summary")?.focus();
  });
  addEventListener("pointerdown", (event) => {
    for (const menu of menus) if (menu.open && !menu.contains(/** @type {Node} */ (event.target))) menu.open = false;
  });
}

/** Puts the focus on the heading when one came from another of our pages: the flag was left there a moment ago. */
function readHeadingFirst() {
  const heading = /** @type {HTMLElement | null} */ (document.querySelector("main h1"));
  try {
    // Referrers are switched off, since an invitation's link must not travel on; so the page itself remembers.
    const came = sessionStorage.getItem("tillit.page");
    sessionStorage.setItem("tillit.page", location.pathname);
    if (!heading || !came || came === location.pathname || location.hash) return;
  } catch {
    return; // storage is blocked: the browser's own start of the page will do
  }
  heading.tabIndex = -1;
  heading.focus({ preventScroll: true });
}

/** Shows the strip while the browser itself knows that it is offline. */
function watchNetwork() {
  const strip = document.getElementById("strip");
  if (!strip) return;
  addEventListener("offline", () => { strip.hidden = false; });
  addEventListener("online", () => { if (!strip.dataset.held) strip.hidden = true; });
}

closeMenus(document);
readHeadingFirst();
watchNetwork();
