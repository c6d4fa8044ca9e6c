// A full-screen picture to measure a session with; keys change it (scene.html). Never part of the app.
const { app, BrowserWindow, screen } = require('electron');
const { join } = require('node:path');

app.commandLine.appendSwitch('disable-gpu');
app.setPath('userData', process.env.SCENE_DATA);
app.whenReady().then(() => {
  const { width, height } = screen.getPrimaryDisplay().bounds;
  const window = new BrowserWindow({ x: 0, y: 0, width, height, frame: false, title: 'scene', show: true, webPreferences: { sandbox: true } });
  window.loadFile(join(__dirname, 'scene.html'));
  window.webContents.on('page-title-updated', (event) => event.preventDefault());
});
app.on('window-all-closed', () => app.quit());
