// Every SQL statement of src/store/, taken from the source as the compiler sees it, against the schema: none may read a whole table that grows with use.
import test from 'node:test';
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { REPO } from './server.js';

const STORE = path.join(REPO, 'src/store');
const FILES = readdirSync(STORE).filter((f) => f.endsWith('.c') && !(f.startsWith('db') || f === 'upgrade.c'));

/** The string literals of a preprocessed text; neighbours are one. */
function literals(text) {
  const out = [];
  for (const [run] of text.matchAll(/"(?:[^"\\\n]|\\.)*"(?:\s*"(?:[^"\\\n]|\\.)*")*/g)) {
    out.push([...run.matchAll(/"((?:[^"\\\n]|\\.)*)"/g)].map((m) => m[1].replace(/\\(.)/g, (_, c) => (c === 'n' ? '\n' : c))).join(''));
  }
  return out;
}

const statements = FILES.flatMap((file) => {
  const source = execFileSync(process.env.CC ?? 'cc', ['-E', '-P', '-D_GNU_SOURCE', path.join(STORE, file)], { encoding: 'utf8', maxBuffer: 1 << 26, cwd: REPO });
  return literals(source).filter((s) => /^\s*(SELECT|INSERT|UPDATE|DELETE|WITH|REPLACE)\b/.test(s)).map((sql) => ({ file, sql }));
});

/** The plan of each, by one shell. */
function plans() {
  const marked = statements.map(({ sql }, i) => `SELECT 'statement ${i}';\nEXPLAIN QUERY PLAN ${sql};`).join('\n');
  const out = execFileSync('sqlite3', ['-batch', ':memory:'], { input: `${readFileSync(path.join(REPO, 'schema.sql'), 'utf8')}\n${marked}\n`, encoding: 'utf8', maxBuffer: 1 << 26 });
  return out.split(/^statement \d+\n/m).slice(1);
}

test('they are all found', () => {
  for (const file of FILES) {
    const calls = readFileSync(path.join(STORE, file), 'utf8').match(/\bdb_query\(/g)?.length ?? 0;
    const found = statements.filter((s) => s.file === file).length;
    assert.ok(found >= calls || (calls === 0 && found === 0), `${file} has ${calls} calls of db_query() and ${found} statements that this test sees`);
  }
  assert.ok(statements.length > 40, `${statements.length}`);
});

test('none reads a whole table that grows with use', () => {
  const all = plans();
  assert.equal(all.length, statements.length);
  const bad = [];
  // few rows by their nature: what runs now, one row for each counter; and what is no table of ours
  const fine = /^SCAN (search_index VIRTUAL TABLE|json_each\b|path\b|CONSTANT ROW|\(?subquery|\d+ CONSTANT|counters\b|(m|messages) USING (COVERING )?INDEX messages_streaming\b)/;
  all.forEach((plan, i) => {
    for (const [, step] of plan.matchAll(/^[ |`-]*((?:SCAN|SEARCH) .*)$/gm)) {
      if (step.startsWith('SCAN ') && !fine.test(step)) bad.push(`${statements[i].file}: ${step}\n    in ${statements[i].sql.replace(/\s+/g, ' ').slice(0, 300)}`);
    }
  });
  assert.deepEqual(bad, []);
});
