// What stands in the frame: says it joined, obeys the commands, and says whatever a test wants (window.jitsi.say).

const hash = new URLSearchParams(location.hash.slice(1));
const scope = `jitsi_meet_external_api_${hash.get("jitsi_meet_external_api_id")}`;
const config = Object.fromEntries([...hash].filter(([name]) => name.startsWith("config.")).map(([name, value]) => [name.slice(7), JSON.parse(value)]));
const state = { audio: !config.startWithAudioMuted, video: !config.startWithVideoMuted, share: false, surface: "window", shares: 0, devices: [] };

const send = (params) => parent.postMessage(JSON.stringify({ postis: true, scope, method: "message", params }), "*");
const say = (name, data = {}) => send({ type: "event", data: { name, ...data } });
const draw = () => {
  document.getElementById("me").textContent = `${state.video ? "camera" : "no camera"}, ${state.audio ? "microphone" : "silent"}${state.share ? ", shares" : ""}`;
};

const share = (on) => {
  state.share = on;
  if (on) state.shares += 1;
  say("screen-sharing-status-changed", { on, details: on ? { sourceType: state.surface } : {} });
  draw();
};

const answers = {
  "is-audio-muted": () => !state.audio,
  "is-video-muted": () => !state.video,
  "get-available-devices": () => ({
    videoInput: [{ deviceId: "v1", kind: "videoInput", label: "Laptop camera" }, { deviceId: "v2", kind: "videoInput", label: "Desk camera" }],
    audioInput: [{ deviceId: "a1", kind: "audioinput", label: "Headset" }], audioOutput: [],
  }),
  "get-current-devices": () => ({ videoInput: { deviceId: "v2" }, audioInput: { deviceId: "a1" } }),
  "set-device": (device) => { state.devices.push(device.id); },
};

addEventListener("message", ({ source, data }) => {
  if (source !== parent || typeof data !== "string") return;
  const { postis, scope: theirs, params } = JSON.parse(data);
  if (!postis || theirs !== scope) return;
  if (params.type === "request") {
    const { name, device } = params.data;
    send({ type: "response", id: params.id, result: answers[name]?.(device) ?? null });
    return;
  }
  const { name } = params.data;
  if (name === "toggle-audio") {
    state.audio = !state.audio;
    say("audio-mute-status-changed", { muted: !state.audio });
  } else if (name === "toggle-video") {
    state.video = !state.video;
    say("video-mute-status-changed", { muted: !state.video });
  } else if (name === "toggle-share-screen") share(!state.share);
  draw();
});

window.jitsi = { say, state, config, jwt: new URLSearchParams(location.search).get("jwt"), room: location.pathname.slice(1) };
draw();
say("video-conference-joined", { roomName: window.jitsi.room, id: "1a2b3c4d", displayName: "" });
