// A full-screen picture to measure a session with; keys change it. It draws on the X server itself, so that next to
// nothing of the machine goes into the picture that is measured. Never part of the app.
//   1: everything moves · 2: dense text scrolls · 3: nothing moves · any other key: black and white change places
import x11 from 'x11';

const FRAME_MS = 1000 / 60;
/** A marker in the corner takes eight greys in turn, so that frames left out can still be told apart. */
const MARKER = { x: 40, y: 40, size: 96, greys: 8, step: 36 };
const BARS = 40;
const LINE_HEIGHT = 13;
const CHARACTER_WIDTH = 6;
const SCROLL_STEP = 5;
/** X keycodes of the digits are 10, 11, 12. */
const MODES = { 10: 'motion', 11: 'text', 12: 'idle' };
const WORDS = 'the quick brown fox jumps over a lazy dog while 0123456789 {} [] () <> && || == != += ;'.split(' ');

x11.createClient((error, display) => {
  if (error) throw error;
  const X = display.client;
  const screen = display.screen[0];
  const { pixel_width: width, pixel_height: height, root } = screen;
  const events = x11.eventMask.KeyPress | x11.eventMask.Exposure;
  const window = X.AllocID();
  X.CreateWindow(window, root, 0, 0, width, height, 0, 0, 0, 0, { overrideRedirect: 1, backgroundPixel: screen.white_pixel, eventMask: events });
  X.ChangeProperty(0, window, X.atoms.WM_NAME, X.atoms.STRING, 8, 'scene');
  X.MapWindow(window);
  const font = X.AllocID();
  X.OpenFont(font, 'fixed');
  const gc = X.AllocID();
  X.CreateGC(gc, window, { foreground: 0, background: 0xffffff, font });
  const color = (value) => X.ChangeGC(gc, { foreground: value });
  const fill = (value, x, y, w, h) => {
    color(value);
    X.PolyFillRectangle(window, gc, [x, y, w, h]);
  };

  // The text is drawn once; scrolling copies it, as a terminal or an editor does.
  const textHeight = height * 3;
  const text = X.AllocID();
  X.CreatePixmap(text, root, screen.root_depth, width, textHeight);
  color(0xffffff);
  X.PolyFillRectangle(text, gc, [0, 0, width, textHeight]);
  color(0x111111);
  for (let row = 0; row * LINE_HEIGHT < textHeight; row++) {
    let line = '';
    for (let i = 0; line.length < width / CHARACTER_WIDTH; i++) line += `${WORDS[(row * 7 + i * 3 + ((row * i) % 5)) % WORDS.length]} `;
    X.PolyText8(text, gc, 0, row * LINE_HEIGHT + 11, [line.slice(0, 250)]);
    X.PolyText8(text, gc, 250 * CHARACTER_WIDTH, row * LINE_HEIGHT + 11, [line.slice(250, 500)]);
  }

  let mode = 'idle';
  let dark = false;
  let frame = 0;
  let timer;
  const still = () => fill(dark ? 0 : 0xffffff, 0, 0, width, height);
  const draw = () => {
    frame += 1;
    if (mode === 'motion') {
      const bar = width / BARS;
      for (let i = 0; i < BARS; i++)
        fill(hue(frame * 3 + i * 9), Math.round(((i * bar + frame * 7) % (width + bar)) - bar), 0, Math.ceil(bar), height);
    } else X.CopyArea(text, window, gc, 0, (frame * SCROLL_STEP) % (textHeight - height), 0, 0, width, height);
    const grey = (frame % MARKER.greys) * MARKER.step;
    fill((grey << 16) | (grey << 8) | grey, MARKER.x, MARKER.y, MARKER.size, MARKER.size);
  };
  X.on('event', (event) => {
    if (event.name === 'Expose' && mode === 'idle') still();
    if (event.name !== 'KeyPress') return;
    const wanted = MODES[event.keycode];
    if (wanted === undefined) dark = !dark;
    else mode = wanted;
    clearInterval(timer);
    if (mode === 'idle') still();
    else timer = setInterval(draw, FRAME_MS);
  });
  X.on('error', (failure) => console.error(failure));
});

/** A strong colour of that hue, degrees. */
function hue(degrees) {
  const part = (offset) => {
    const k = (offset + degrees / 60) % 6;
    return Math.round(255 * (0.85 - 0.7 * Math.max(0, Math.min(k, 4 - k, 1))));
  };
  return (part(5) << 16) | (part(3) << 8) | part(1);
}
