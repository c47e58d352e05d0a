// Draws the icons of an installed page (www/icons/*.png) from www/favicon.svg with Chromium: make icons. They are committed; run it when
// the mark has changed. Needs Node 20.15 or newer.
// Neighbours: www/manifest.webmanifest and www/page.html name them. Leaves out: favicon.svg itself, which browsers take as it is.
import { readFileSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { crc32, deflateSync } from 'node:zlib';
import { launch } from './browser/stand.js';

const WWW = path.resolve(fileURLToPath(import.meta.url), '../../www');
const mark = readFileSync(path.join(WWW, 'favicon.svg'), 'utf8');
const whole = mark.replace(' rx="9"', '');      // systems cut these to a shape of their own: the bubble is within the middle 80 % that all of them leave

const ICONS = { 'icon-192': [192, mark], 'icon-512': [512, mark], 'maskable-512': [512, whole], 'apple-touch-icon': [180, whole] };

/** The pixels of a drawing, RGBA. */
async function pixels(page, size, svg) {
  await page.setContent(`<img width="${size}" height="${size}" src="data:image/svg+xml,${encodeURIComponent(svg)}">`);
  return Buffer.from(await page.evaluate(async (size) => {
    const image = document.querySelector('img');
    await image.decode();
    const context = Object.assign(document.createElement('canvas'), { width: size, height: size }).getContext('2d');
    context.drawImage(image, 0, 0, size, size);
    return [...context.getImageData(0, 0, size, size).data];
  }, size));
}

/** A PNG without filters, which is what makes even areas smallest (Chromium's own are a third larger). */
function png(size, rgba) {
  const header = Buffer.from([0, 0, 0, 0, 0, 0, 0, 0, 8, 6, 0, 0, 0]);             // 8 bits, RGBA
  header.writeUInt32BE(size, 0);
  header.writeUInt32BE(size, 4);
  const rows = Array.from({ length: size }, (_, y) => [Buffer.from([0]), rgba.subarray(y * size * 4, (y + 1) * size * 4)]).flat();
  return Buffer.concat([Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), chunk('IHDR', header), chunk('IDAT', deflateSync(Buffer.concat(rows), { level: 9 })), chunk('IEND', Buffer.alloc(0))]);
}

function chunk(type, data) {
  const body = Buffer.concat([Buffer.from(type), data]);
  const length = Buffer.alloc(4), sum = Buffer.alloc(4);
  length.writeUInt32BE(data.length);
  sum.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, sum]);
}

const browser = await launch();
const page = await browser.newPage();
mkdirSync(path.join(WWW, 'icons'), { recursive: true });
for (const [name, [size, svg]] of Object.entries(ICONS)) {
  const file = png(size, await pixels(page, size, svg));
  writeFileSync(path.join(WWW, 'icons', `${name}.png`), file);
  console.log(`${name}.png: ${file.length} bytes`);
}
await browser.close();
