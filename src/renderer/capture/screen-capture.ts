/** The browser's capture of one monitor as a queue of pictures. */

/** Newer than the type library: a track as a stream of pictures. */
declare class MediaStreamTrackProcessor {
  constructor(init: { track: MediaStreamTrack; maxBufferSize?: number });
  readonly readable: ReadableStream<VideoFrame>;
}

export interface ScreenCapture {
  /** The next picture, which the caller closes; null when there will be none any more. Rejects when the capture failed. */
  read(): Promise<VideoFrame | null>;
  stop(): void;
}

/**
 * Captures a second, whatever a viewer wants: a change seen earlier is a change shown earlier, and one that finds nothing new
 * costs some two milliseconds. Another rate would mean a new start of the capture, just when something happens.
 */
const CAPTURE_FPS = 90;

/** Captures the monitor that `grant` has the main process answer the next display request with. @throws where none is given */
export async function captureScreen(grant: () => Promise<void>): Promise<ScreenCapture> {
  await grant();
  const stream = await navigator.mediaDevices.getDisplayMedia({
    audio: false,
    video: { frameRate: { ideal: CAPTURE_FPS, max: CAPTURE_FPS } },
  });
  const [track] = stream.getVideoTracks();
  if (!track) throw new Error('no picture came');
  // Two: one being encoded, one newer. Whoever reads always moves on to the newest.
  const reader = new MediaStreamTrackProcessor({ track, maxBufferSize: 2 }).readable.getReader();
  return {
    read: async () => (await reader.read()).value ?? null,
    stop: () => {
      void reader.cancel().catch(() => {});
      track.stop();
    },
  };
}
