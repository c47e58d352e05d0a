// README's table of settings is the one that the program prints.
import test from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { PROGRAM, REPO } from './server.js';

test("README's table of settings is what the program prints", () => {
  const readme = readFileSync(path.join(REPO, 'README.md'), 'utf8');
  const [, table] = /<!-- settings:[^\n]*\n([\s\S]*?)<!-- end of settings/.exec(readme) ?? [];
  assert.ok(table, 'README has the marks of the table');
  assert.equal(table, execFileSync(PROGRAM, ['--settings'], { encoding: 'utf8' }), 'run: make readme');
});
