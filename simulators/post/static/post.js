// @ts-check
// Shows new messages as they come, says so once, and gives a letter's frame its full height.

const list = /** @type {HTMLElement | null} */ (document.getElementById("list"));
const news = document.getElementById("news");
let asked = 0;

/** Replace the list with the server's own rendering of it. @param {string} url */
async function refresh(url) {
  const mine = (asked += 1);
  const answer = await fetch(url, { signal: AbortSignal.timeout(5000) });
  const fresh = await answer.text();
  if (!answer.ok || !list || mine < asked) return; // a later one is under way and shows more
  const focused = document.activeElement instanceof HTMLAnchorElement ? document.activeElement.getAttribute("href") : null;
  list.innerHTML = fresh;
  if (focused) /** @type {HTMLElement | null} */ (list.querySelector(`a[href="${CSS.escape(focused)}"]`))?.focus();
}

if (list?.dataset.events && list.dataset.list) {
  const url = list.dataset.list;
  const stream = new EventSource(list.dataset.events);
  stream.addEventListener("message", async (event) => {
    const { sender } = JSON.parse(event.data);
    await refresh(url).catch(() => undefined); // the next message, or a reload, shows it
    // Said once it is there: whoever hears it and goes to the list finds it.
    if (news) news.textContent = (news.dataset.sentence ?? "").replace("{sender}", sender);
  });
  stream.addEventListener("open", () => { refresh(url).catch(() => undefined); });
  addEventListener("pagehide", () => stream.close());
}

const frame = /** @type {HTMLIFrameElement | null} */ (document.getElementById("frame"));

function fit() {
  const inner = frame?.contentDocument?.documentElement;
  if (frame && inner) frame.height = String(inner.scrollHeight + 2);
}

frame?.addEventListener("load", fit);
if (frame?.contentDocument?.readyState === "complete") fit();
