// The page of the speech measurements. It holds several people, each with a connection of its own: some say a prepared
// speech, others write down what they hear. One page, since each page more costs a process of its own.

const RATE = 48000;
const people = (window.people = {});
const TAP = `registerProcessor("tap", class extends AudioWorkletProcessor {
  process([[wave]]) {
    if (wave) this.port.postMessage(wave.slice());
    return true;
  }
});`;

/** Take the speech: 16-bit samples at RATE, as base64. */
window.prepare = async (base64) => {
  const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  const samples = Float32Array.from(new Int16Array(bytes.buffer), (sample) => sample / 32768);
  const context = (window.context = new AudioContext({ sampleRate: RATE }));
  await context.audioWorklet.addModule(URL.createObjectURL(new Blob([TAP], { type: "text/javascript" })));
  window.voice = context.createBuffer(1, samples.length, RATE);
  window.voice.copyToChannel(samples, 0);
  window.mouth = new MediaStreamAudioDestinationNode(context, { channelCount: 1 });
};

/** Say it once, everybody who speaks at the same time; resolves when the last word is said. */
window.say = () =>
  new Promise((done) => {
    const source = new AudioBufferSourceNode(window.context, { buffer: window.voice });
    source.connect(window.mouth);
    source.onended = () => done();
    source.start(window.context.currentTime + 0.1);
  });

/** A face in front of a wall: most of the picture stays, some of it moves. */
function picture(width, height, fps) {
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width, height });
  const paint = canvas.getContext("2d", { alpha: false });
  let n = 0;
  const draw = () => {
    n += 1;
    paint.fillStyle = "#556";
    paint.fillRect(0, 0, width, height);
    paint.fillStyle = "#dba";
    paint.beginPath();
    paint.arc(width / 2 + (width / 32) * Math.sin(n / 20), height / 2, height / 4, 0, 7);
    paint.fill();
    for (let i = 0; i < 60; i += 1) {
      paint.fillStyle = `hsl(${(i * 37 + n) % 360} 40% 50%)`;
      const down = height / 3 + Math.floor(i / 10) * (height / 18) + (height / 120) * Math.sin((n + i) / 5);
      paint.fillRect(width / 3 + ((i % 10) * width) / 32, down, width / 42, height / 28);
    }
  };
  setInterval(draw, 1000 / fps);
  draw();
  const [track] = canvas.captureStream(fps).getVideoTracks();
  track.contentHint = "motion";
  return track;
}

function listen(person, track) {
  const player = document.createElement(track.kind);
  player.srcObject = new MediaStream([track]);
  player.muted = true;
  document.body.append(player);
  player.play().catch(() => {});
  if (track.kind === "video") return;
  const tap = new AudioWorkletNode(window.context, "tap", { numberOfOutputs: 0, channelCount: 1, channelCountMode: "explicit" });
  tap.port.onmessage = ({ data }) => person.heard.push(data);
  window.context.createMediaStreamSource(player.srcObject).connect(tap);
}

/** Forget what was heard so far. */
window.listenAnew = () => {
  for (const person of Object.values(people)) person.heard = [];
};

/** What one of them heard: 16-bit samples at RATE, as base64. */
window.heard = (name) => {
  const waves = people[name].heard;
  const all = new Int16Array(waves.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const wave of waves) {
    for (const sample of wave) all[at++] = Math.round(Math.max(-1, Math.min(1, sample)) * 32767);
  }
  return new Promise((done) => {
    const reader = new FileReader();
    reader.onload = () => done(String(reader.result).split(",")[1]);
    reader.readAsDataURL(new Blob([all]));
  });
};

const gathered = async (pc) => {
  await pc.setLocalDescription();
  if (pc.iceGatheringState !== "complete") {
    await new Promise((done) => pc.addEventListener("icegatheringstatechange", () => pc.iceGatheringState === "complete" && done()));
  }
  return pc.localDescription.sdp;
};

function made(name) {
  const pc = new RTCPeerConnection({ bundlePolicy: "max-bundle" });
  const person = (people[name] = { pc, heard: [], messages: [] });
  pc.ontrack = ({ track }) => track.addEventListener("unmute", () => listen(person, track), { once: true });
  return person;
}

/**
 * An offer to the bridge, in the order of its contract.
 * speaks: whether this person says the speech. size: [width, height, fps] of a picture, or nothing.
 */
window.toBridge = ({ name, speaks, size }) => {
  const person = made(name);
  const { pc } = person;
  pc.addTransceiver(speaks ? window.mouth.stream.getAudioTracks()[0] : "audio", { direction: "sendonly" });
  const { sender } = pc.addTransceiver(size ? picture(...size) : "video", { direction: "sendonly" });
  pc.addTransceiver("video", { direction: "sendonly" });
  person.sender = sender;
  person.channel = pc.createDataChannel("tillit");
  person.channel.onmessage = ({ data }) => person.messages.push(JSON.parse(data));
  pc.addTransceiver("audio", { direction: "recvonly" });
  for (let i = 0; i < 2; i += 1) pc.addTransceiver("video", { direction: "recvonly" });
  return gathered(pc);
};
window.answered = ({ name, sdp }) => people[name].pc.setRemoteDescription({ type: "answer", sdp });

/** The direct path: one offers, the other answers. */
window.toPeer = async ({ name, speaks, size, offer }) => {
  const { pc } = made(name);
  if (offer) await pc.setRemoteDescription({ type: "offer", sdp: offer });
  if (speaks) pc.addTrack(window.mouth.stream.getAudioTracks()[0]);
  else if (!offer) pc.addTransceiver("audio", { direction: "recvonly" });
  if (size) pc.addTrack(picture(...size));
  return gathered(pc);
};

/** What one connection says now: of sound and picture, sent and received. */
window.look = async (name) => {
  const { pc, messages } = people[name];
  const seen = { at: performance.now(), sent: {}, voice: {}, came: {}, heard: {} };
  (await pc.getStats()).forEach((s) => {
    if (s.type === "outbound-rtp" && s.kind === "video" && s.framesEncoded) {
      seen.sent = { height: s.frameHeight, fps: s.framesPerSecond ?? 0, frames: s.framesEncoded, limit: s.qualityLimitationReason, target: s.targetBitrate };
    }
    if (s.type === "outbound-rtp" && s.kind === "audio") seen.voice = { packets: s.packetsSent, bytes: s.bytesSent };
    if (s.type === "inbound-rtp" && s.kind === "video" && s.framesDecoded) {
      seen.came = { height: s.frameHeight, fps: s.framesPerSecond ?? 0, frames: s.framesDecoded };
    }
    if (s.type === "inbound-rtp" && s.kind === "audio" && s.packetsReceived) {
      seen.heard = {
        packets: s.packetsReceived, lost: s.packetsLost, energy: s.totalAudioEnergy, mended: s.fecPacketsReceived ?? 0,
        samples: s.totalSamplesReceived, concealed: s.concealedSamples - s.silentConcealedSamples,
        buffer: s.jitterBufferDelay / s.jitterBufferEmittedCount,
      };
    }
    if (s.type === "transport") seen.cipher = s.srtpCipher;
  });
  return { ...seen, quality: messages.findLast(({ type }) => type === "quality") };
};
