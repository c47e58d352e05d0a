// axe-core finds nothing in any state of the page: light, dark, three themes, 320 px, right to left, while streaming, with dialogs open.
// Neighbours: scenes.js has the states. axe is evaluated as text, because the page's policy lets no foreign script in.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe } from 'node:test';
import { openScene, SCENES } from './scenes.js';
import { eventually, stand, test } from './stand.js';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const folder = mkdtempSync(path.join(tmpdir(), 'parley-axe-'));
const themeFile = path.join(folder, 'theme.json');
const config = path.join(folder, 'parley.json');
writeFileSync(themeFile, '{}');
writeFileSync(config, JSON.stringify({ theme: 'theme.json' }));

const plain = stand({ settings: { RETRIES: '0' } });
const themed = stand({ settings: { RETRIES: '0', PARLEY_JSON: config } });

// Stock themes of HeroUI's builder, as far as they give colours (reference: docs/theme.md).
const THEMES = {
  coffee: { light: { primary: '#db924b', secondary: '#5a8486', success: '#9db787', warning: '#ffd25f', danger: '#fc9581', default: '#b4afa8', background: '#fffbf6', foreground: '#a27225', content1: '#fff2e0', content2: '#ffe9cc', content3: '#ffe0b8', content4: '#ffd7a3' },
    dark: { primary: '#db924b', default: '#413841', background: '#20161F', foreground: '#c59f60', content1: '#2c1f2b', content2: '#3e2b3c', content3: '#50374d', content4: '#62435f' } },
  emerald: { light: { primary: '#66cc8a', secondary: '#377cfb', success: '#00b077', danger: '#f31260', background: '#ffffff', foreground: '#333c4d', content1: '#f6f8f7', content2: '#e9efec' }, dark: { primary: '#66cc8a', background: '#0f1512', foreground: '#e3ebe6', content1: '#18211c', content2: '#233029' } },
  retro: { light: { primary: '#ef9995', secondary: '#a4cbb4', success: '#2563eb', background: '#ece3ca', foreground: '#282425', content1: '#e4d8b4', content2: '#dbca9a' }, dark: { primary: '#ef9995', background: '#2b2622', foreground: '#e4d8b4', content1: '#7d6f5a', content2: '#64583f' } },
};

async function violations(page) {
  await page.evaluate(AXE);
  // animations in between would be judged by their colours of the moment
  await page.evaluate(() => Promise.all(document.getAnimations().filter((each) => each.effect.getComputedTiming().iterations !== Infinity).map((each) => each.finished.catch(() => {}))));
  const { violations: found } = await page.evaluate(() => window.axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }));
  return found.flatMap(({ id, help, nodes }) => nodes.map((node) => `${id} (${help}): ${node.target.join(' ')}: ${node.html.slice(0, 160)} ${node.any.map((each) => each.message).join('; ')}`));
}

describe('light and dark', () => {
  for (const scene of SCENES) {
    test(`${scene.name}, light and dark`, async (t) => {
      const page = await openScene(plain, t, scene, { colorScheme: 'light' });
      assert.deepEqual(await violations(page), [], 'light');
      await page.emulateMedia({ colorScheme: 'dark' });
      assert.deepEqual(await violations(page), [], 'dark');
    });
  }
});

describe('320 px wide, on a touch screen', () => {
  for (const scene of SCENES.filter((each) => !each.isWide)) {
    test(`${scene.name}, 320 px`, async (t) => {
      const page = await openScene(plain, t, scene, { phone: true, viewport: { width: 320, height: 640 }, hasTouch: true, isMobile: true });
      assert.deepEqual(await violations(page), []);
      assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), 'nothing is wider than the screen');
    });
  }
});

describe('right to left', () => {
  for (const name of ['answer', 'parts', 'sidebar', 'preferences']) {
    test(`${name}, Arabic`, async (t) => {
      const page = await openScene(plain, t, SCENES.find((scene) => scene.name === name), { locale: 'ar' });
      assert.equal(await page.locator('html').getAttribute('dir'), 'rtl');
      assert.deepEqual(await violations(page), []);
    });
  }
});

describe('themes', () => {
  for (const [name, { light, dark }] of Object.entries(THEMES)) {
    test(`${name}, light and dark`, async (t) => {
      writeFileSync(themeFile, JSON.stringify({ themes: { light: { colors: light }, dark: { colors: dark } } }));
      for (const scene of SCENES.filter((each) => ['answer', 'parts-open', 'failed', 'sidebar', 'preferences', 'usage'].includes(each.name))) {
        const page = await openScene(themed, t, scene, { colorScheme: 'light' });
        await eventually(() => page.evaluate(() => Boolean(document.getElementById('theme')?.sheet)), 'the theme is there');
        const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
        const day = await background();
        assert.deepEqual(await violations(page), [], `${scene.name}, light`);
        await page.emulateMedia({ colorScheme: 'dark' });
        assert.notEqual(await background(), day, 'the theme has a night');
        assert.deepEqual(await violations(page), [], `${scene.name}, dark`);
        await page.close();
      }
    });
  }
});
