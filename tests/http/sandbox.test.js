// What the running program keeps to itself: it opens no files but its own and the system's (src/base/sandbox.c), leaves nothing that others can read, and no core with keys in it.
import test, { describe, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { chmodSync, copyFileSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, renameSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { withServer, settingsText, PROGRAM, REPO, SCALE, SECRET } from './server.js';
import { HOSTING, lacks } from './hosting.js';
import { simple, gate, sleep, within } from '../provider/provider.js';
import { chat, chatWhole, stream, request, conversation, assertError, waitUntil } from './client.js';

const opts = { timeout: 90_000 * SCALE };
const run = (cmd, args, o = {}) => new Promise((resolve) => { execFile(cmd, args, o, (e, out, err) => resolve({ code: e ? e.code : 0, out, err })); });

/** What --check says of the sandbox, with these settings. */
async function checked(settings = {}, more = {}) {
  const dir = mkdtempSync(path.join(tmpdir(), 'parley-check-'));
  try {
    const file = path.join(dir, 'settings');
    writeFileSync(file, settingsText({ PARLEY_DB: path.join(dir, 'parley.db'), PARLEY_JSON: path.join(dir, 'parley.json'), LLM_MODEL: 'demo', ...settings }), { mode: more.mode ?? 0o600 });
    chmodSync(file, more.mode ?? 0o600);
    if (more.json) writeFileSync(path.join(dir, 'parley.json'), more.json);
    if (more.json) chmodSync(path.join(dir, 'parley.json'), more.jsonMode);
    if (more.chown) for (const f of readdirSync(dir)) await run('chown', [more.chown, path.join(dir, f)]);
    return { dir, file, ...await run(PROGRAM, ['--config', file, '--check'], { env: { PATH: process.env.PATH } }) };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

const hasLandlock = /sandbox: {2}on/.test((await checked()).out);
const noLandlock = hasLandlock ? false : 'this kernel has no Landlock';

// Files that everybody may read and write, but for the sandbox. Not below /tmp: the database of a test is there, and hooks have it for temporary files.
let outside, canary, folder;
before(() => {
  outside = mkdtempSync('/var/tmp/parley-outside-');
  chmodSync(outside, 0o777);
  canary = path.join(outside, 'canary');
  folder = path.join(outside, 'folder');
  mkdirSync(folder);
  chmodSync(folder, 0o777);
  for (const [name, mode, text] of [['canary', 0o666, 'a canary\n'], ['program', 0o755, '#!/bin/sh\nexit 0\n'], ['folder/file', 0o666, 'inside\n']]) {
    writeFileSync(path.join(outside, name), text);
    chmodSync(path.join(outside, name), mode);
  }
});
after(() => rmSync(outside, { recursive: true, force: true }));

const app = { app: 'sandboxed' };
const tries = async (s, words) => (await chat(s, words)).text;

describe('the sandbox', { skip: noLandlock }, () => {
  test('files outside can not be read, written, made, removed, listed, moved or run by the running program', opts, () => withServer(app, async (s) => {
    for (const words of [`read ${canary}`, `write ${canary}`, `make ${outside}/new`, `remove ${canary}`, `list ${outside}`, `run ${outside}/program`, 'list /var', 'list /', 'make /parley-new',
      'make /etc/parley-new', 'make /usr/parley-new']) {
      assert.equal(await tries(s, words), 'EACCES', words);
    }
    assert.match(await tries(s, `move ${canary} ${outside}/moved`), /EACCES|EXDEV/);
    assert.equal(readFileSync(canary, 'utf8'), 'a canary\n');
    assert.deepEqual(readdirSync(outside).sort(), ['canary', 'folder', 'program']);
  }));

  test('what it needs can be used', opts, () => withServer(app, async (s) => {
    const own = path.dirname(s.db);
    assert.equal(await tries(s, 'read /etc/hosts'), 'ok');
    assert.equal(await tries(s, 'read /dev/urandom'), 'ok');
    assert.equal(await tries(s, 'write /dev/null'), 'ok');
    assert.equal(await tries(s, 'read /proc/self/status'), 'ok');
    assert.equal(await tries(s, 'run /usr/bin/true'), 'ok');
    assert.equal(await tries(s, `make ${own}/a-file`), 'ok');
    assert.equal(await tries(s, `move ${own}/a-file ${own}/another`), 'ok');
    assert.equal(await tries(s, `write ${own}/another`), 'ok');
    assert.equal(await tries(s, `list ${own}`), 'ok');
    assert.equal(await tries(s, `remove ${own}/another`), 'ok');
    assert.equal((await request(`${s.url}/ready`)).status, 200);
  }));

  test('SANDBOX=off: the same files can be used, as far as the user may', opts, () => withServer({ ...app, settings: { SANDBOX: 'off' } }, async (s) => {
    assert.equal(await tries(s, `read ${canary}`), 'ok');
    assert.equal(await tries(s, `list ${outside}`), 'ok');
    assert.equal(await tries(s, `run ${outside}/program`), 'ok');
    assert.equal(await tries(s, `make ${outside}/new`), 'ok');
    assert.equal(await tries(s, `remove ${outside}/new`), 'ok');
  }));

  test('SANDBOX_READ and SANDBOX_WRITE open what they name, and no more', opts, () => withServer({ ...app, settings: { SANDBOX_READ: `${outside}/program, ${canary},/nowhere`, SANDBOX_WRITE: folder } }, async (s) => {
    assert.equal(await tries(s, `read ${canary}`), 'ok');
    assert.equal(await tries(s, `run ${outside}/program`), 'ok');
    assert.equal(await tries(s, `write ${canary}`), 'EACCES');
    assert.equal(await tries(s, `list ${outside}`), 'EACCES');
    assert.equal(await tries(s, `write ${folder}/file`), 'ok');
    assert.equal(await tries(s, `make ${folder}/new`), 'ok');
    assert.equal(await tries(s, `remove ${folder}/new`), 'ok');
    assert.equal(await tries(s, `run ${folder}/file`), 'EACCES');
    await s.logged(/SANDBOX_READ: \/nowhere: No such file/);
  }));

  test('a database behind a symbolic link, in a folder that is not there yet', opts, async () => {
    const dir = mkdtempSync(path.join(tmpdir(), 'parley-linked-'));
    chmodSync(dir, 0o777);
    try {
      mkdirSync(path.join(dir, 'real'));
      chmodSync(path.join(dir, 'real'), 0o777);
      symlinkSync(path.join(dir, 'real'), path.join(dir, 'link'));
      await withServer({ settings: { PARLEY_DB: path.join(dir, 'link/new/parley.db') } }, async (s, p) => {
        p.respond(simple('Stored.'));
        const r = await chat(s, 'Hi');
        assert.equal((await conversation(s, r.conversation_id)).messages[1].content, 'Stored.');
        assert.equal(statSync(path.join(dir, 'real/new')).mode & 0o777, 0o700);
      });
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  });

  test('another folder in the place of the database\'s: the log says that a restart is needed', { ...opts, skip: HOSTING !== 'lighttpd-fastcgi' && 'it is the same everywhere' }, async () => {
    const dir = mkdtempSync(path.join(tmpdir(), 'parley-restored-'));
    try {
      await withServer({ settings: { PARLEY_DB: path.join(dir, 'data/parley.db') } }, async (s, p) => {
        p.respond(simple('Stored.'));
        const { conversation_id: id } = await chat(s, 'Hi');
        renameSync(path.join(dir, 'data'), path.join(dir, 'old'));
        cpSync(path.join(dir, 'old'), path.join(dir, 'data'), { recursive: true });    // a copy put back
        assert.equal((await request(`${s.url}/conversations/${id}`)).status, 503);
        await s.logged(/data is not the one that was there at the start, and SANDBOX closes it: start the program again/);
        process.kill(s.workerPids()[0], 'SIGTERM');
        await within(20, (async () => { while ((await request(`${s.url}/ready`)).status !== 200) await sleep(0.05); })(), 'the next worker');
        assert.equal((await conversation(s, id)).messages[1].content, 'Stored.');
      });
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  });

  test('--check says what is on, and where files can be written', opts, async () => {
    const on = await checked();
    assert.ok(on.out.split('\n').some((l) => /^sandbox: {2}on \(Landlock \d+\); files can be written below /.test(l) && l.endsWith(on.dir)), on.out);
    assert.match((await checked({ SANDBOX: 'off' })).out, /^sandbox: {2}off$/m);
  });
});

describe('hooks in the sandbox', { skip: noLandlock }, () => {
  /** A server with one hook, this script; fn(s, what it says) */
  async function withHook(script, more, fn) {
    const dir = mkdtempSync(path.join(tmpdir(), 'parley-hook-'));
    chmodSync(dir, 0o777);
    try {
      const file = path.join(dir, 'hook.sh'), json = path.join(dir, 'parley.json');
      writeFileSync(file, `#!/bin/sh\n${script}`);
      chmodSync(file, 0o755);
      writeFileSync(path.join(dir, 'words'), 'beside\n');
      writeFileSync(json, JSON.stringify({ hooks: [{ command: [file, ...(more.words ?? [])], timeout_seconds: 20 * SCALE }] }));
      chmodSync(json, 0o644);
      return await withServer({ settings: { PARLEY_JSON: json, ...more.settings } }, async (s, p) => {
        p.respond(simple('ok'));
        const r = await chat(s, 'Hi');
        return fn((await conversation(s, r.conversation_id)).messages[1].events[0].content, dir);
      });
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  }
  const report = `
try() { if "$@" >/dev/null 2>&1; then echo true; else echo false; fi; }
printf '{"event":"tried","content":{"read":%s,"write":%s,"list":%s,"run":%s,"beside":%s,"temporary":%s,"child":%s}}\\n' \\
  "$(try cat ${'$OUT'}/canary)" "$(try touch ${'$OUT'}/by-hook)" "$(try ls ${'$OUT'})" "$(try ${'$OUT'}/program)" "$(try grep beside "$(dirname "$0")/words")" \\
  "$(f=$(mktemp) && try test -w "$f"; rm -f "$f")" "$(try sh -c "cat ${'$OUT'}/canary")"
`;
  const script = () => `OUT=${outside}\n${report}`;

  test('a hook reads what lies beside it and has temporary files; what is outside it cannot touch, nor can what it starts', opts, () => withHook(script(), {}, (said) => {
    assert.deepEqual(said, { read: false, write: false, list: false, run: false, beside: true, temporary: true, child: false });
    assert.ok(!existsSync(path.join(outside, 'by-hook')));
  }));

  test('a folder among its arguments, and SANDBOX_READ, are for it to use', opts, () => withHook(`D=$1\n: >"$D/by-hook"\n${script()}`, { words: [`${outside}/folder`], settings: { SANDBOX_READ: outside } }, (said) => {
    assert.deepEqual(said, { read: true, write: false, list: true, run: true, beside: true, temporary: true, child: true });
    assert.ok(existsSync(path.join(outside, 'folder/by-hook')));
    rmSync(path.join(outside, 'folder/by-hook'));
  }));

  test('an interpreter in a place of its own: the hook fails, and the log says what to set', opts, async () => {
    const dir = mkdtempSync(path.join(tmpdir(), 'parley-hook-'));
    chmodSync(dir, 0o755);
    const shell = path.join(outside, 'own-sh'), hook = path.join(dir, 'hook.sh'), json = path.join(dir, 'parley.json');
    copyFileSync('/bin/sh', shell);
    writeFileSync(hook, `#!${shell}\nexit 0\n`);
    writeFileSync(json, JSON.stringify({ hooks: [{ command: [hook] }] }));
    for (const [file, mode] of [[shell, 0o755], [hook, 0o755], [json, 0o644]]) chmodSync(file, mode);
    try {
      await withServer({ settings: { PARLEY_JSON: json } }, async (s) => {
        assertError(await chatWhole(s, 'Hi'), 502, 'hook_failed');
        await s.logged(/cannot be started: Permission denied \(if its interpreter is in a place of its own: SANDBOX_READ\)/);
      });
      await withServer({ settings: { PARLEY_JSON: json, SANDBOX_READ: shell } }, async (s, p) => {
        p.respond(simple('ok'));
        assert.equal((await chat(s, 'Hi')).text, 'ok');
      });
    } finally {
      rmSync(dir, { recursive: true, force: true });
      rmSync(shell);
    }
  });

  test('SANDBOX=off: a hook may what its user may', opts, () => withHook(script(), { settings: { SANDBOX: 'off' } }, (said) => {
    assert.deepEqual(said, { read: true, write: true, list: true, run: true, beside: true, temporary: true, child: true });
    rmSync(path.join(outside, 'by-hook'));
  }));

  test('it gets no key in its environment', opts, () => withHook(`printf '{"event":"environment","content":{"names":"%s"}}\\n' "$(env | cut -d= -f1 | sort | tr '\\n' ' ')"\n`, { settings: { ANTHROPIC_API_KEY: 'sk-ant-0123456789' } }, (said) => {
    assert.match(said.names, /PATH/);
    assert.doesNotMatch(said.names, /KEY|PARLEY|LLM/);
  }));
});

describe('what others can see', () => {
  test('database and its companions are ours alone, so is a folder that was made for them', opts, async () => {
    const dir = mkdtempSync(path.join(tmpdir(), 'parley-modes-'));
    chmodSync(dir, 0o777);
    try {
      const db = path.join(dir, 'data/parley.db');
      await withServer({ settings: { PARLEY_DB: db } }, async (s, p) => {
        const g = gate();
        p.respond(async (req, io) => { await g.wait(); return simple('ok')(req, io); });
        const st = await stream(`${s.url}/chat/stream`, { message: 'Hi' });
        await st.until((e) => e.event === 'start');
        assert.equal(statSync(path.dirname(db)).mode & 0o777, 0o700);
        const files = readdirSync(path.dirname(db)).filter((f) => f !== '.htaccess');
        assert.ok(files.includes('parley.db') && files.includes('parley.db-wal') && files.includes('parley.db-shm'), files.join());
        for (const f of files) assert.equal(statSync(path.join(dir, 'data', f)).mode & 0o777, 0o600, f);
        g.open();
        await st.all();
      });
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  });

  test('the socket of --listen is for user and group', { ...opts, skip: HOSTING !== 'apache-fastcgi' && 'here the host server makes it' }, () => withServer({}, (s) => {
    assert.equal(statSync(path.join(s.dir, `chat-${s.port}.sock`)).mode & 0o777, 0o660);
  }));

  test('no core dump: neither into a file nor into a program that the kernel pipes it to; and no key in the list of processes', opts, () => withServer({}, async (s, p) => {
    const g = gate();
    p.respond(async (req, io) => { await g.wait(); return simple('ok')(req, io); });
    const st = await stream(`${s.url}/chat/stream`, { message: 'Hi' });
    await st.until((e) => e.event === 'start');
    const pids = s.workerPids();
    assert.ok(pids.length > 0);
    for (const pid of pids) {
      assert.match(readFileSync(`/proc/${pid}/limits`, 'latin1'), /^Max core file size +0 +0 /m);
      assert.match(readFileSync(`/proc/${pid}/coredump_filter`, 'latin1').trim(), /^0+$/);
      assert.ok(!readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes(SECRET));
      assert.ok(!readFileSync(`/proc/${pid}/environ`, 'latin1').includes(SECRET), 'settings of the file stay out of the environment');
    }
    g.open();
    await st.all();
  }));
});

describe('a file with a key that others can read', () => {
  const key = 'sk-exposed-0123456789';
  const warning = /^warning: .*$/m;

  test('--check names it and says what to do; a file of ours alone, or without a key, is fine', opts, async () => {
    const open = await checked({ OPENAI_API_KEY: key }, { mode: 0o644 });
    assert.match(open.out, new RegExp(`^warning:  ${open.file} holds a key, and every user of this machine can read it: chmod 600 ${open.file}$`, 'm'));
    assert.match((await checked({ OPENAI_API_KEY: key }, { mode: 0o640 })).out, /^warning: .* and its group can read it: chmod 600 /m);
    assert.match((await checked({ GROQ_API_KEY: key }, { mode: 0o644 })).out, warning, 'the key of any provider');
    assert.match((await checked({ LLM_PROXY: `http://me:${key}@127.0.0.1:9` }, { mode: 0o644 })).out, warning, 'a password');
    assert.doesNotMatch((await checked({ OPENAI_API_KEY: key }, { mode: 0o600 })).out, warning);
    assert.doesNotMatch((await checked({ SYSTEM_PROMPT: 'nothing secret' }, { mode: 0o644 })).out, warning);
    for (const r of [open]) assert.ok(!(r.out + r.err).includes(key));
  });

  test('parley.json likewise', opts, async () => {
    const json = JSON.stringify({ providers: [{ id: 'corp', wire: 'openai', url: 'http://127.0.0.1:9/v1', auth: 'none', headers: { 'X-Key': key } }] });
    assert.match((await checked({}, { json, jsonMode: 0o644 })).out, /^warning: .*parley\.json holds a key/m);
    assert.doesNotMatch((await checked({}, { json, jsonMode: 0o600 })).out, warning);
    assert.doesNotMatch((await checked({}, { json: '{"theme":"x.json"}', jsonMode: 0o644 })).out, warning);
  });

  test('a file of another user may be read by its group', { ...opts, skip: process.getuid() !== 0 && 'only root can give a file away' }, async () => {
    assert.doesNotMatch((await checked({ OPENAI_API_KEY: key }, { mode: 0o640, chown: '65534:65534' })).out, warning);
    assert.match((await checked({ OPENAI_API_KEY: key }, { mode: 0o644, chown: '65534:65534' })).out, /chmod 640/);
  });

  test('the log has it, and the program serves all the same', opts, async () => {
    const dir = mkdtempSync(path.join(tmpdir(), 'parley-exposed-'));
    const json = path.join(dir, 'parley.json');
    chmodSync(dir, 0o755);
    writeFileSync(json, JSON.stringify({ providers: [{ id: 'corp', wire: 'openai', url: 'http://127.0.0.1:9/v1', auth: 'none', headers: { 'X-Key': key } }] }));
    chmodSync(json, 0o644);
    try {
      await withServer({ settings: { PARLEY_JSON: json } }, async (s, p) => {
        p.respond(simple('Served.'));
        assert.equal((await chat(s, 'Hi')).text, 'Served.');
        await s.logged(/parley\.json holds a key, and every user of this machine can read it: chmod 6[04]0 /);
        const processes = () => (HOSTING === 'apache-fcgid' ? s.log().match(/serves, up to/g).length : s.workerPids().length);
        if (!lacks('residentWorker')) await waitUntil(10, () => s.log().match(/holds a key/g).length === processes(), 'once for a process');
        assert.ok(!s.log().includes(key));
      });
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  });
});

test('the built program: relocated anywhere, nothing both writable and executable, tables read-only after the start, checks compiled in',
  { ...opts, skip: process.env.PARLEY_TEST_BUILD ? 'sanitized builds have flags of their own' : HOSTING !== 'lighttpd-fastcgi' && 'it is the same file everywhere' }, async () => {
    const elf = async (...args) => {
      const r = await run('readelf', ['-W', ...args, PROGRAM], { maxBuffer: 1 << 28 });
      assert.equal(r.code, 0, r.err);
      return r.out;
    };
    assert.match(await elf('-h'), /^ *Type: +DYN /m, 'position-independent');
    const segments = (await elf('-l')).split('\n').map((l) => /^ +(\w+) +(0x\w+) \w+ \w+ \w+ \w+ ([R ][W ][E ])/.exec(l)).filter(Boolean).map(([, type, offset, flags]) => ({ type, offset: Number(offset), flags }));
    const loads = segments.filter((x) => x.type === 'LOAD');
    assert.ok(loads.length >= 4, 'code apart from what is only read');
    for (const x of segments) assert.ok(!/W.*E/.test(x.flags), JSON.stringify(x));
    assert.deepEqual(loads.filter((x) => x.flags.includes('E')).map((x) => x.offset > 0), [true], 'one segment of code, without the headers');
    assert.deepEqual(segments.filter((x) => x.type === 'GNU_STACK').map((x) => x.flags.trim()), ['RW']);
    assert.ok(segments.some((x) => x.type === 'GNU_RELRO'));
    assert.match(await elf('-d'), /FLAGS_1.*NOW/);
    assert.doesNotMatch(await elf('-d'), /RPATH|RUNPATH|TEXTREL/);
    const symbols = await elf('--dyn-syms');
    assert.match(symbols, /__stack_chk_fail/);
    assert.match(symbols, /__v?snprintf_chk/);
    const made = (await elf('--debug-dump=info')).split('\n').filter((l) => /DW_AT_producer/.test(l) && /GNU C/.test(l));
    if (process.arch === 'x64') for (const l of made) assert.match(l, /-fstack-clash-protection.*-fcf-protection|-fcf-protection.*-fstack-clash-protection/);
  });
