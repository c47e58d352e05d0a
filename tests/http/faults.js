// A clock that jumps and a disk that fails, for the program alone: faults.c, built here and preloaded.
import { mkdtempSync, openSync, writeSync, closeSync, rmSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { PROGRAM } from './server.js';
import { HOSTINGS, HOSTING } from './hosting.js';

const SOURCE = path.join(path.dirname(fileURLToPath(import.meta.url)), 'faults.c');
const FIELDS = ['clock', 'writes', 'syncs', 'short', 'fileSystem'];
export const ERRNO = { EIO: 5, ENOSPC: 28 };
export const NFS = 0x6969;
export const DAY = 86400;

let library;
function build() {
  if (library) return library;
  const dir = mkdtempSync(path.join(tmpdir(), 'parley-faults-'));
  process.once('exit', () => rmSync(dir, { recursive: true, force: true }));
  library = path.join(dir, 'faults.so');
  execFileSync(process.env.CC ?? 'cc', ['-shared', '-fPIC', '-O1', '-D_GNU_SOURCE', '-o', library, SOURCE, '-ldl'], { stdio: ['ignore', 'inherit', 'inherit'] });
  return library;
}

/** Why there is none here, or false: a sanitizer's library wants to be the first, and only a program that is started with our environment can be given one. */
export const noFaults = /asan|tsan/.test(PROGRAM) ? 'the sanitizers let nothing be preloaded before them' : HOSTINGS[HOSTING].mode === 'fastcgi' ? false : 'the host passes no LD_PRELOAD on';

/** f.env goes into startServer(); f.set({clock: seconds, writes: errno, syncs: errno, short: 1, fileSystem: number}) holds from then on for what is named; f.end() when done. */
export function faults() {
  const dir = mkdtempSync(path.join(tmpdir(), 'parley-orders-'));
  const file = path.join(dir, 'orders');
  const now = Object.fromEntries(FIELDS.map((name) => [name, 0]));
  const fd = openSync(file, 'w');
  const write = () => { const all = Buffer.alloc(8 * FIELDS.length); FIELDS.forEach((name, i) => all.writeBigInt64LE(BigInt(now[name]), 8 * i)); writeSync(fd, all, 0, all.length, 0); };
  write();
  return {
    env: { LD_PRELOAD: build(), PARLEY_FAULTS: file, SANDBOX_READ: file },
    set: (what) => { Object.assign(now, what); write(); },
    end: () => { closeSync(fd); rmSync(dir, { recursive: true, force: true }); },
  };
}
