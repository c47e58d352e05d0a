// `make run`, as README has people type it: settings from the file, run.env for our eyes only, Ctrl-C ends it.
import test from 'node:test';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, statSync, writeFileSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { REPO, SCALE } from './server.js';
import { HOSTING, HOSTINGS } from './hosting.js';
import { request, stream } from './client.js';
import { freePort, within, sleep } from '../provider/provider.js';

test('make run serves with the settings of the file, keeps run.env to itself, and ends by Ctrl-C', { timeout: 120_000 * SCALE, skip: process.env.PARLEY_PROGRAM ? 'make run builds and starts cgi-bin/chat.fcgi' : HOSTING === 'apache-cgi-prefork' ? 'make run has apache-cgi' : false }, async () => {
  const dir = mkdtempSync(path.join(tmpdir(), 'parley-run-'));
  const port = await freePort();
  const file = path.join(dir, 'settings');
  writeFileSync(file, `APP_PORT=${port}\nPARLEY_DB=${dir}/parley.db\nSYSTEM_PROMPT="two\\nlines"\nANTHROPIC_API_KEY=not-for-us\n`);
  writeFileSync(path.join(dir, 'run.env'), 'left by an earlier run\n', { mode: 0o644 });
  const env = { PATH: process.env.PATH, HOME: process.env.HOME, PARLEY_VAR: dir, PARLEY_CONFIG: file };
  const make = spawn('make', ['-s', 'run', `SERVER=${HOSTINGS[HOSTING].server}`, `MODE=${HOSTINGS[HOSTING].mode}`], { cwd: REPO, env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  let log = '';
  for (const out of [make.stdout, make.stderr]) out.on('data', (d) => { log += d; });
  const ended = new Promise((resolve) => make.once('close', resolve));
  try {
    const until = performance.now() + 60_000 * SCALE;
    let up = false;
    while (!up && make.exitCode === null && performance.now() < until) {
      up = await request(`http://127.0.0.1:${port}/health`, { seconds: 5 }).then((r) => r.status === 200, () => false);
      if (!up) await sleep(0.05);
    }
    assert.ok(up, log);
    assert.equal(statSync(path.join(dir, 'run.env')).mode & 0o777, 0o600);
    assert.match(readFileSync(path.join(dir, 'run.env'), 'utf8'), /^SYSTEM_PROMPT="two\\nlines"$/m);
    const c = await stream(`http://127.0.0.1:${port}/chat/stream`, { message: 'Hi' });
    await c.until((e) => e.event === 'token');
    c.close();
    assert.ok(!log.includes('not-for-us'), log);
  } finally {
    process.kill(-make.pid, 'SIGINT');                      // Ctrl-C goes to the whole foreground group
    await within(60, ended, 'the end of make run');
    rmSync(dir, { recursive: true, force: true });
  }
});
