// @ts-check
// Camera and sound before a call. Nothing is sent anywhere.

const preview = document.querySelector("#device-preview video");
const says = document.getElementById("device-says");

document.getElementById("device-start")?.addEventListener("click", async () => {
  if (!(preview instanceof HTMLVideoElement) || !says) return;
  try {
    preview.srcObject = await navigator.mediaDevices.getUserMedia({ audio: true, video: true });
    await preview.play();
    says.textContent = says.dataset.ok || "";
  } catch (error) {
    const denied = error instanceof DOMException && error.name === "NotAllowedError";
    says.textContent = (denied ? says.dataset.denied : says.dataset.none) || "";
  }
});
