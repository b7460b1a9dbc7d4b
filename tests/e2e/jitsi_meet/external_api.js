// A stand-in for Jitsi Meet's external_api.js: the same constructor, commands, functions and events, over the same
// message shapes between the page and its frame. Behind it stands meet.js instead of a conference.

(() => {
  const COMMANDS = { toggleAudio: "toggle-audio", toggleVideo: "toggle-video", toggleShareScreen: "toggle-share-screen", hangup: "video-hangup" };
  const EVENTS = {
    "audio-mute-status-changed": "audioMuteStatusChanged", "video-mute-status-changed": "videoMuteStatusChanged",
    "screen-sharing-status-changed": "screenSharingStatusChanged", "participant-joined": "participantJoined",
    "participant-left": "participantLeft", "participant-muted": "participantMuted", "error-occurred": "errorOccurred",
    "video-conference-joined": "videoConferenceJoined", "video-conference-left": "videoConferenceLeft",
    "video-ready-to-close": "readyToClose", "non-participant-message-received": "nonParticipantMessageReceived",
    "camera-error": "cameraError", "mic-error": "micError", "device-list-changed": "deviceListChanged",
  };
  let count = 0;

  window.JitsiMeetExternalAPI = class {
    constructor(domain, { roomName, parentNode, jwt, lang, configOverwrite = {}, interfaceConfigOverwrite = {}, noSSL = false }) {
      const id = count++;
      this.scope = `jitsi_meet_external_api_${id}`;
      this.listeners = new Map();
      this.waiting = new Map();
      this.number = 0;
      const overrides = [
        ...Object.entries(configOverwrite).map(([name, value]) => `config.${name}=${encodeURIComponent(JSON.stringify(value))}`),
        ...Object.entries(interfaceConfigOverwrite).map(([name, value]) => `interfaceConfig.${name}=${encodeURIComponent(JSON.stringify(value))}`),
      ];
      this.frame = document.createElement("iframe");
      this.frame.allow = "autoplay; camera; display-capture; microphone; screen-wake-lock";
      this.frame.src = `${noSSL ? "http" : "https"}://${domain}/${roomName}?jwt=${jwt}&lang=${lang}#jitsi_meet_external_api_id=${id}&${overrides.join("&")}`;
      this.frame.name = `jitsiConferenceFrame${id}`;
      this.frame.style.height = "100%";
      this.frame.style.width = "100%";
      this.frame.style.border = 0;
      parentNode.appendChild(this.frame);
      this.hear = ({ source, data }) => {
        if (source !== this.frame.contentWindow || typeof data !== "string") return;
        const { postis, scope, params } = JSON.parse(data);
        if (!postis || scope !== this.scope) return;
        if (params.type === "response") this.waiting.get(params.id)?.(params.result);
        else if (params.type === "event") {
          const { name, ...rest } = params.data;
          for (const listener of this.listeners.get(EVENTS[name]) ?? []) listener(rest);
        }
      };
      addEventListener("message", this.hear);
    }

    send(params) {
      this.frame.contentWindow.postMessage(JSON.stringify({ postis: true, scope: this.scope, method: "message", params }), "*");
    }

    ask(name) {
      const id = (this.number += 1);
      return new Promise((resolve) => {
        this.waiting.set(id, resolve);
        this.send({ type: "request", id, data: { name } });
      });
    }

    addListener(event, listener) {
      if (!Object.values(EVENTS).includes(event)) throw new Error(`Jitsi Meet has no event ${event}`);
      this.listeners.set(event, [...(this.listeners.get(event) ?? []), listener]);
    }

    executeCommand(name, ...data) {
      if (!(name in COMMANDS)) throw new Error(`Jitsi Meet has no command ${name}`);
      this.send({ type: "event", data: { name: COMMANDS[name], data } });
    }

    isAudioMuted() { return this.ask("is-audio-muted"); }
    isVideoMuted() { return this.ask("is-video-muted"); }
    getAvailableDevices() { return this.ask("get-available-devices"); }
    getCurrentDevices() { return this.ask("get-current-devices"); }
    setAudioInputDevice(label, deviceId) { this.send({ type: "request", id: 0, data: { name: "set-device", device: { kind: "audioinput", label, id: deviceId } } }); }
    setAudioOutputDevice(label, deviceId) { this.send({ type: "request", id: 0, data: { name: "set-device", device: { kind: "audiooutput", label, id: deviceId } } }); }
    setVideoInputDevice(label, deviceId) { this.send({ type: "request", id: 0, data: { name: "set-device", device: { kind: "videoinput", label, id: deviceId } } }); }
    getIFrame() { return this.frame; }

    dispose() {
      removeEventListener("message", this.hear);
      this.frame.remove();
    }
  };
})();
