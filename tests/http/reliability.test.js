// docs/faults.md names the test behind each of its claims: they are there.
import test from 'node:test';
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { REPO } from './server.js';

test('every test that docs/faults.md names exists', () => {
  const text = readFileSync(path.join(REPO, 'docs/faults.md'), 'utf8');
  const named = [...text.matchAll(/`(tests\/[\w./-]+): ([^`]+)`/g)];
  assert.ok(named.length > 50, `${named.length} tests are named`);
  const missing = named.filter(([, file, name]) => {
    const at = path.join(REPO, file);
    return !existsSync(at) || !readFileSync(at, 'utf8').replaceAll("\\'", "'").includes(name.trim());
  });
  assert.deepEqual(missing.map((m) => m[0]), []);
});
