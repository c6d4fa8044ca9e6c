/**
 * The status page: three files that are text in this program, so that the one file of the command is all there is. The
 * script's functions are ordinary typed functions of this folder, sent to the browser as their own source; each of them
 * uses nothing but its arguments and the browser.
 */
import { drawChart } from './chart.ts';
import { statusPage } from './client.ts';
import { pageElements } from './elements.ts';
import { pageFormats } from './formats.ts';
import { readStream } from './stream.ts';
import { STATUS_CSS } from './style.ts';
import { pageData } from './texts.ts';

export { STATUS_CSS };

export const STATUS_HTML = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<title>LiteDesk</title>
<link rel="stylesheet" href="status.css">
<script src="status.js" defer></script>
</head>
<body><div id="app"></div></body>
</html>
`;

export const STATUS_JS = `'use strict';
const drawChart = ${String(drawChart)};
const pageElements = ${String(pageElements)};
const pageFormats = ${String(pageFormats)};
const readStream = ${String(readStream)};
const statusPage = ${String(statusPage)};
statusPage(${JSON.stringify(pageData())}, { drawChart, pageElements, pageFormats, readStream });
`;
