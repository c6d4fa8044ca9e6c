/** A picture that moves, encoded as a host would do it, so that the development page decodes real frames. */
import type { SessionPortMessage } from '../../shared/ipc.ts';

const CODECS = { vp8: 'vp8', vp9: 'vp09.00.10.08', av1: 'av01.0.08M.08', h264: 'avc1.640033' } as const;
export type FakeCodec = keyof typeof CODECS;

function draw(context: CanvasRenderingContext2D, width: number, height: number, n: number): void {
  const sky = context.createLinearGradient(0, 0, width, height);
  sky.addColorStop(0, '#27507a');
  sky.addColorStop(1, '#5b86a8');
  context.fillStyle = sky;
  context.fillRect(0, 0, width, height);
  context.fillStyle = '#10161f';
  context.fillRect(0, height - 44, width, 44);
  context.fillStyle = '#f7f7f5';
  context.fillRect(120, 90, 640, 400);
  context.fillStyle = '#2b3440';
  context.fillRect(120, 90, 640, 34);
  context.fillStyle = '#fff';
  context.font = '15px sans-serif';
  context.fillText('notes.txt – Editor', 136, 112);
  context.fillStyle = '#222';
  context.font = '17px monospace';
  for (let i = 0; i < 12; i++)
    context.fillText(`${i + 1}  The quick brown fox jumps over the lazy dog.`, 136, 152 + i * 27);
  context.fillStyle = '#e9a03b';
  context.beginPath();
  context.arc(960 + 90 * Math.cos(n / 20), 300 + 90 * Math.sin(n / 20), 40, 0, 7);
  context.fill();
}

/** Streams until the returned function is called; `post` gets what the port would bring. */
export function streamFakeDesktop(
  codec: FakeCodec,
  display: number,
  post: (message: SessionPortMessage) => void,
): { stop(): void; refresh(): void } {
  const [width, height] = [1280, 720];
  const canvas = document.createElement('canvas');
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext('2d');
  let wantKey = true;
  const encoder = new VideoEncoder({
    output: (chunk) => {
      const data = new ArrayBuffer(chunk.byteLength);
      chunk.copyTo(data);
      post({ type: 'video', display, codec, key: chunk.type === 'key', data });
    },
    error: (error) => console.error(error),
  });
  encoder.configure({
    codec: CODECS[codec],
    width,
    height,
    bitrate: 4e6,
    latencyMode: 'realtime',
    ...(codec === 'h264' ? { avc: { format: 'annexb' as const } } : {}),
  });
  let n = 0;
  const timer = setInterval(() => {
    if (context === null || encoder.encodeQueueSize > 2) return;
    draw(context, width, height, n);
    const frame = new VideoFrame(canvas, { timestamp: n * 33_333 });
    encoder.encode(frame, { keyFrame: wantKey });
    frame.close();
    wantKey = false;
    n += 1;
  }, 50);
  return {
    stop: () => {
      clearInterval(timer);
      encoder.close();
    },
    refresh: () => {
      wantKey = true;
    },
  };
}
