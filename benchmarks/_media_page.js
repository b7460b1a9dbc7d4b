// The page of the media bench: sends a picture and a sound that carry the moment they were made, reads both on the other side.
// Moments are milliseconds of the machine's clock, so that two pages compare.

const WIDTH = 1280;
const HEIGHT = 720;
const BITS = 20; // a millisecond in a window of 17 minutes
const BLOCK = WIDTH / BITS;
const BEEP = 500; // milliseconds between two beeps
const now = () => performance.timeOrigin + performance.now();

window.bench = { pictures: [], beeps: [], sent: [], size: [0, 0] };

async function media() {
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width: WIDTH, height: HEIGHT });
  const paint = canvas.getContext("2d", { alpha: false });
  let n = 0;
  // A face in front of a wall: most of the picture stays, some of it moves.
  const draw = () => {
    n += 1;
    paint.fillStyle = "#556";
    paint.fillRect(0, BLOCK, WIDTH, HEIGHT - BLOCK);
    paint.fillStyle = "#dba";
    paint.beginPath();
    paint.arc(WIDTH / 2 + 40 * Math.sin(n / 20), HEIGHT / 2, 200, 0, 7);
    paint.fill();
    for (let i = 0; i < 60; i += 1) {
      paint.fillStyle = `hsl(${(i * 37 + n) % 360} 40% 50%)`;
      paint.fillRect(440 + (i % 10) * 40, 250 + Math.floor(i / 10) * 40 + 6 * Math.sin((n + i) / 5), 30, 26);
    }
    const moment = Math.round(now()) % 2 ** BITS;
    for (let bit = 0; bit < BITS; bit += 1) {
      paint.fillStyle = (moment >> bit) & 1 ? "#fff" : "#000";
      paint.fillRect(bit * BLOCK, 0, BLOCK, BLOCK);
    }
  };
  setInterval(draw, 1000 / 30);
  draw();
  const context = new AudioContext();
  const out = context.createMediaStreamDestination();
  const tone = new OscillatorNode(context, { frequency: 880 });
  const gain = new GainNode(context, { gain: 0 });
  tone.connect(gain).connect(out);
  tone.start();
  setInterval(() => {
    const at = context.currentTime + 0.02;
    gain.gain.setValueAtTime(0.8, at);
    gain.gain.setValueAtTime(0, at + 0.06);
    window.bench.sent.push(now() + 20);
  }, BEEP);
  return [out.stream.getAudioTracks()[0], canvas.captureStream(30).getVideoTracks()[0]];
}

function watch(track) {
  const player = document.createElement(track.kind);
  player.srcObject = new MediaStream([track]);
  player.muted = track.kind === "video";
  document.body.append(player);
  player.play();
  if (track.kind === "audio") {
    const context = new AudioContext();
    const look = new AnalyserNode(context, { fftSize: 256 });
    context.createMediaStreamSource(player.srcObject).connect(look);
    const wave = new Float32Array(256);
    let loud = false;
    setInterval(() => {
      look.getFloatTimeDomainData(wave);
      const is = wave.some((sample) => Math.abs(sample) > 0.15);
      if (is && !loud) window.bench.beeps.push(now());
      loud = is;
    }, 4);
    return;
  }
  const strip = new OffscreenCanvas(BITS, 1).getContext("2d", { willReadFrequently: true });
  const seen = (_, { expectedDisplayTime }) => {
    const { videoWidth: width, videoHeight: height } = player;
    const block = width / BITS;
    strip.drawImage(player, 0, block * 0.3, width, block * 0.4, 0, 0, BITS, 1);
    const { data } = strip.getImageData(0, 0, BITS, 1);
    let moment = 0;
    for (let bit = 0; bit < BITS; bit += 1) if (data[4 * bit] > 127) moment |= 1 << bit;
    const shown = performance.timeOrigin + expectedDisplayTime;
    const delay = (((shown - moment) % 2 ** BITS) + 2 ** BITS) % 2 ** BITS;
    if (delay < 5000) window.bench.pictures.push(delay);
    window.bench.size = [width, height];
    player.requestVideoFrameCallback(seen);
  };
  player.requestVideoFrameCallback(seen);
}

const gathered = async (pc) => {
  await pc.setLocalDescription();
  if (pc.iceGatheringState !== "complete") {
    await new Promise((done) => pc.addEventListener("icegatheringstatechange", () => pc.iceGatheringState === "complete" && done()));
  }
  return pc.localDescription.sdp;
};

/** An offer to the bridge, in the order of its contract. */
window.toBridge = async () => {
  const pc = (window.pc = new RTCPeerConnection());
  const [voice, picture] = await media();
  pc.addTransceiver(voice, { direction: "sendonly" });
  pc.addTransceiver(picture, { direction: "sendonly" });
  pc.addTransceiver("video", { direction: "sendonly" });
  pc.createDataChannel("tillit");
  for (let i = 0; i < 7; i += 1) pc.addTransceiver("audio", { direction: "recvonly" });
  for (let i = 0; i < 8; i += 1) pc.addTransceiver("video", { direction: "recvonly" });
  pc.ontrack = ({ track }) => track.addEventListener("unmute", () => watch(track), { once: true });
  return gathered(pc);
};
window.answered = (sdp) => window.pc.setRemoteDescription({ type: "answer", sdp });

/** The direct path: one page offers, the other answers. */
window.toPeer = async (offer) => {
  const pc = (window.pc = new RTCPeerConnection());
  pc.ontrack = ({ track }) => track.addEventListener("unmute", () => watch(track), { once: true });
  if (offer) await pc.setRemoteDescription({ type: "offer", sdp: offer });
  for (const track of await media()) pc.addTrack(track);
  return gathered(pc);
};
window.clear = () => Object.assign(window.bench, { pictures: [], beeps: [] });
