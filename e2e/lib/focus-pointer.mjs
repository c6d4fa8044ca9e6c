// Sets the X input focus to PointerRoot: the keyboard goes to whatever window the pointer is over.
import x11 from 'x11';

const POINTER_ROOT = 1;
x11.createClient((error, display) => {
  if (error) throw error;
  display.client.SetInputFocus(POINTER_ROOT, POINTER_ROOT);
  // An answer to a later request proves that the server has done it.
  display.client.GetInputFocus(() => process.exit(0));
});
