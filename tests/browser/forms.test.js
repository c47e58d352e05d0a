// Forms out of JSON Schema: which fields a schema gives, what is wrong with values, and the dialog that people fill in.
// Neighbours: www/js/schema.js, www/js/forms.js, www/js/dialog.js.
import nodeTest from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { stand, test } from './stand.js';
import { emptyValue, fieldsOf, problemOf, UNREADABLE } from '../../www/js/schema.js';

const unit = nodeTest;
const TEXTS = JSON.parse(readFileSync(new URL('../../www/i18n/en.json', import.meta.url), 'utf8'));

// As Pydantic writes it.
const FEEDBACK = {
  title: 'Dislike',
  description: 'Tell us what was wrong.',
  type: 'object',
  $defs: {
    Mood: { enum: ['calm', 'cross', 'sad', 'glad', 'tired'], title: 'Mood', type: 'string' },
    Place: {
      title: 'Place', type: 'object', required: ['city'],
      properties: { city: { title: 'City', type: 'string', maxLength: 40 }, floor: { anyOf: [{ type: 'integer' }, { type: 'null' }], default: null, title: 'Floor' } },
    },
  },
  required: ['issue_type', 'comment', 'stars', 'place'],
  properties: {
    issue_type: { enum: ['Wrong', 'Rude', 'Slow'], title: 'Issue type', type: 'string', description: 'The worst one.' },
    comment: { title: 'Comment', type: 'string', minLength: 5, maxLength: 500 },
    stars: { title: 'Stars', type: 'integer', minimum: 1, maximum: 5 },
    weight: { title: 'Weight', type: 'number', exclusiveMinimum: 0, default: 0.5 },
    mood: { anyOf: [{ $ref: '#/$defs/Mood' }, { type: 'null' }], default: null },
    code: { title: 'Code', type: 'string', pattern: '^[a-z]+$', default: 'abc' },
    mail: { anyOf: [{ type: 'string', format: 'email' }, { type: 'null' }], default: null, title: 'Mail' },
    again: { title: 'Ask me again', type: 'boolean', default: true },
    topics: { title: 'Topics', type: 'array', items: { enum: ['facts', 'tone'], type: 'string' }, minItems: 1, default: ['tone'] },
    place: { $ref: '#/$defs/Place' },
    second: { anyOf: [{ $ref: '#/$defs/Place' }, { type: 'null' }], default: null, title: 'Second place' },
    extra: { title: 'Extra', type: 'object', additionalProperties: { type: 'integer' }, default: {} },
  },
};

const field = (part, more = {}) => fieldsOf({ type: 'object', properties: { a: part }, ...more }, more.values)[0];

// ---- without a browser

unit('each construct that Pydantic writes gives its kind of field', () => {
  const kinds = Object.fromEntries(fieldsOf(FEEDBACK).map((each) => [each.name, each.kind]));
  assert.deepEqual(kinds, {
    issue_type: 'choice', comment: 'longText', stars: 'integer', weight: 'number', mood: 'choice', code: 'text', mail: 'text',
    again: 'flag', topics: 'choices', place: 'group', second: 'group', extra: 'json',
  });
  assert.equal(field({ const: 3 }).kind, 'choice');
  assert.equal(field({ allOf: [{ $ref: '#/$defs/M' }] }, { $defs: { M: { enum: [1, 2] } } }).kind, 'choice');
  assert.equal(field({ oneOf: [{ const: 'a', title: 'First' }, { const: 'b' }] }).options[0].label, 'First');
  assert.deepEqual(field({ anyOf: [{ type: 'boolean' }, { type: 'null' }] }).options.map(({ value }) => value), [true, false]);
  assert.equal(field({ type: ['integer', 'null'] }).nullable, true);
  assert.equal(field({ type: ['integer', 'null'] }).kind, 'integer');
  assert.deepEqual(field({ enum: ['a', null] }).options.map(({ value }) => value), ['a']);
  assert.equal(field({ enum: ['a', null] }).nullable, true);
  for (const strange of [{}, true, { type: ['string', 'integer'] }, { anyOf: [{ type: 'string' }, { type: 'integer' }] }, { $ref: '#/$defs/None' },
    { $ref: 'elsewhere.json' }, { type: 'array', items: { type: 'string' } }, { prefixItems: [] }]) assert.equal(field(strange).kind, 'json', JSON.stringify(strange));
});

unit('label, help, order, what is required, and which value stands first', () => {
  const [first, second] = fieldsOf(FEEDBACK);
  assert.deepEqual(first.options[1], { value: 'Rude', label: 'Rude' });
  assert.deepEqual([first.label, first.help, first.required, second.label], ['Issue type', 'The worst one.', true, 'Comment']);
  const mood = fieldsOf(FEEDBACK).find(({ name }) => name === 'mood');
  assert.deepEqual([mood.label, mood.nullable, mood.required, mood.initial], ['Mood', true, false, undefined]);
  assert.equal(field({ type: 'string' }).label, 'a');
  assert.equal(field({ type: 'boolean', default: true }, { values: { a: false } }).initial, false);
  assert.equal(fieldsOf(FEEDBACK, { place: { city: 'Rome' } }).find(({ name }) => name === 'place').fields[0].initial, 'Rome');
});

unit('one line or several', () => {
  const kind = (part) => field({ type: 'string', ...part }).kind;
  assert.equal(kind({}), 'longText');
  assert.equal(kind({ maxLength: 201 }), 'longText');
  assert.equal(kind({ maxLength: 200 }), 'text');
  assert.equal(kind({ default: 'English' }), 'text');
  assert.equal(kind({ default: 'a\nb' }), 'longText');
  assert.equal(kind({ pattern: 'a' }), 'text');
  assert.equal(field({ type: 'string', format: 'uri' }).input, 'url');
  assert.equal(field({ type: 'string', format: 'unheard-of' }).input, 'text');
});

unit('a schema that refers to itself comes to an end', () => {
  const node = { type: 'object', properties: { name: { type: 'string' }, left: { $ref: '#/$defs/Node' }, right: { $ref: '#/$defs/Node' } } };
  let at = fieldsOf({ $ref: '#/$defs/Node', $defs: { Node: node } });
  while (at[1].kind === 'group') at = at[1].fields;
  assert.equal(at[1].kind, 'json');
  assert.equal(field({ $ref: '#/$defs/Loop' }, { $defs: { Loop: { $ref: '#/$defs/Loop' } } }).kind, 'json');
  assert.deepEqual(fieldsOf({ type: 'string' }), []);
  assert.deepEqual(fieldsOf(null), []);
});

unit('what is wrong with a value', () => {
  const problem = (part, value, more) => problemOf(field(part, more), value)?.key;
  const must = { required: ['a'] };
  assert.equal(problem({ type: 'string' }, undefined, must), 'form.missing');
  assert.equal(problem({ type: 'string' }, undefined), undefined);
  assert.equal(problem({ anyOf: [{ type: 'string' }, { type: 'null' }] }, undefined, must), undefined);
  assert.equal(problem({ type: 'string', minLength: 2 }, '😀'), 'form.too_short');
  assert.equal(problem({ type: 'string', maxLength: 2 }, '😀😀'), undefined);
  assert.equal(problem({ type: 'string', maxLength: 2 }, 'abc'), 'form.too_long');
  assert.equal(problem({ type: 'string', pattern: '[0-9]' }, 'a1b'), undefined);
  assert.equal(problem({ type: 'string', pattern: '^[0-9]$' }, 'a1b'), 'form.pattern');
  assert.equal(problem({ type: 'string', pattern: '(?P<x>a)' }, 'b'), undefined, 'a pattern of another language');
  assert.equal(problem({ type: 'integer' }, 1.5), 'form.not_integer');
  assert.equal(problem({ type: 'integer', minimum: 2 }, 1), 'form.too_small');
  assert.equal(problem({ type: 'number', maximum: 2 }, 2.1), 'form.too_large');
  assert.equal(problem({ type: 'number', exclusiveMinimum: 0 }, 0), 'form.not_above');
  assert.equal(problem({ type: 'number', exclusiveMaximum: 1 }, 1), 'form.not_below');
  assert.equal(problem({ type: 'array', items: { enum: [1, 2] }, minItems: 1 }, []), 'form.too_few');
  assert.equal(problem({ type: 'array', items: { enum: [1, 2] }, maxItems: 1 }, [1, 2]), 'form.too_many');
  assert.equal(problem({ type: 'object' }, []), 'form.not_object');
  assert.equal(problem({ type: 'array' }, {}), 'form.not_list');
  assert.equal(problem({ type: 'boolean' }, false, must), undefined);
});

unit('every problem has its sentence', () => {
  const unreadable = [{ type: 'number' }, { type: 'integer' }, {}, ...['email', 'uri', 'date', 'time'].map((format) => ({ type: 'string', format }))];
  for (const part of unreadable) {
    const { key } = problemOf(field(part), UNREADABLE);
    assert.ok(TEXTS[key], key);
  }
  for (const key of ['missing', 'too_short', 'too_long', 'pattern', 'too_small', 'too_large', 'not_above', 'not_below', 'too_few', 'too_many', 'not_list', 'not_object']) {
    assert.ok(TEXTS[`form.${key}`], key);
  }
});

unit('an empty field: null, an emptied text, or left out', () => {
  assert.equal(emptyValue(field({ anyOf: [{ type: 'integer' }, { type: 'null' }] })), null);
  assert.equal(emptyValue(field({ type: 'string', default: 'x' })), '');
  assert.equal(emptyValue(field({ type: 'string' })), undefined);
});

// ---- in the browser

const at = stand();

async function openForm(t, schema, values, more) {
  const page = await at.open(t, more);
  await page.evaluate(async ({ schema, values }) => {
    await (await import('./js/i18n.js')).loadTexts('en');
    const { openFormDialog } = await import('./js/forms.js');
    openFormDialog({ title: 'What was wrong?', schema, values, submitLabel: 'Send feedback' }).then((result) => { window.result = { is: result }; });
  }, { schema, values });
  const dialog = page.getByRole('dialog', { name: 'What was wrong?' });
  await dialog.waitFor();
  const submit = dialog.getByRole('button', { name: 'Send feedback' });
  const result = async () => (await page.waitForFunction(() => window.result)).jsonValue().then(({ is }) => is);
  return { page, dialog, submit, result };
}

const focused = (page) => page.evaluate(() => document.activeElement.labels?.[0]?.textContent ?? document.activeElement.textContent);

test('a form is filled in by labels, and gives the object', async (t) => {
  const { dialog, submit, result } = await openForm(t, FEEDBACK);
  assert.equal(await dialog.getByText('Tell us what was wrong.').isVisible(), true);
  await dialog.getByRole('radiogroup', { name: 'Issue type' }).getByRole('radio', { name: 'Rude' }).check();
  await dialog.getByRole('textbox', { name: 'Comment' }).fill('Not at all\nhelpful');
  await dialog.getByRole('spinbutton', { name: 'Stars' }).fill('2');
  await dialog.getByRole('combobox', { name: 'Mood' }).selectOption('glad');
  await dialog.getByRole('textbox', { name: 'Code' }).fill('');
  await dialog.getByRole('checkbox', { name: 'Ask me again' }).uncheck();
  await dialog.getByRole('group', { name: 'Topics' }).getByRole('checkbox', { name: 'facts' }).check();
  await dialog.getByRole('group', { name: 'Place', exact: true }).getByRole('textbox', { name: 'City' }).fill('Rome');
  await dialog.getByRole('textbox', { name: 'Extra' }).fill('{"a": 1}');
  await submit.click();
  assert.deepEqual(await result(), {
    issue_type: 'Rude', comment: 'Not at all\nhelpful', stars: 2, weight: 0.5, mood: 'glad', code: '', mail: null, again: false,
    topics: ['facts', 'tone'], place: { city: 'Rome', floor: null }, second: null, extra: { a: 1 },
  });
});

test('what is wrong is said at the field, the first one gets the focus, and the sentence goes when it is mended', async (t) => {
  const { page, dialog, submit, result } = await openForm(t, FEEDBACK);
  const comment = dialog.getByRole('textbox', { name: 'Comment' });
  await submit.click();
  assert.equal(await focused(page), 'Wrong');
  const issue = dialog.getByRole('radiogroup', { name: 'Issue type' });
  assert.equal(await issue.getAttribute('aria-invalid'), 'true');
  await issue.getByRole('radio', { name: 'Slow' }).check();
  assert.equal(await issue.getAttribute('aria-invalid'), null);
  await comment.fill('Bad');
  await dialog.getByRole('spinbutton', { name: 'Stars' }).fill('9');
  await dialog.getByRole('textbox', { name: 'Mail' }).fill('nobody');
  await dialog.getByRole('textbox', { name: 'Extra' }).fill('{a');
  await submit.click();
  assert.equal(await focused(page), 'Comment');
  const description = await comment.evaluate((input) => input.getAttribute('aria-describedby').split(' ').map((id) => document.getElementById(id).textContent).join(' '));
  assert.match(description, /Write at least 5 characters\./);
  assert.equal(await comment.evaluate((input) => input.validationMessage), 'Write at least 5 characters.');
  assert.equal(await comment.evaluate((input) => input.checkValidity()), false);
  assert.deepEqual(await dialog.locator('.form-problem:not(:empty)').allTextContents(), ['Write at least 5 characters.', 'The largest number is 5.',
    'Write an email address, such as name@example.org.', 'Please fill this in.', 'This is not valid JSON.']);
  await comment.fill('Bad answer');
  assert.equal(await comment.getAttribute('aria-invalid'), null);
  assert.equal(await comment.evaluate((input) => input.checkValidity()), true);
  await dialog.getByRole('spinbutton', { name: 'Stars' }).fill('1');
  await dialog.getByRole('textbox', { name: 'Mail' }).fill('a@b.example');
  await dialog.getByRole('textbox', { name: 'Extra' }).fill('');
  await dialog.getByRole('group', { name: 'Place', exact: true }).getByRole('textbox', { name: 'City' }).fill('Rome');
  await dialog.getByRole('group', { name: 'Second place' }).getByRole('spinbutton', { name: 'Floor' }).fill('3');
  await submit.click();
  assert.equal(await focused(page), 'City', 'an optional object that is begun must be finished');
  await dialog.getByRole('group', { name: 'Second place' }).getByRole('spinbutton', { name: 'Floor' }).fill('');
  await submit.click();
  assert.equal((await result()).second, null);
});

test('a form with values: they stand there, and Enter sends', async (t) => {
  const schema = { type: 'object', properties: { name: { title: 'Name', type: 'string', maxLength: 20 }, tone: { title: 'Tone', enum: ['a', 'b', 'c', 'd', 'e'] } } };
  const { dialog, result } = await openForm(t, schema, { name: 'Ada', tone: 'd' });
  const name = dialog.getByRole('textbox', { name: 'Name' });
  assert.equal(await name.inputValue(), 'Ada');
  await name.press('Enter');
  assert.deepEqual(await result(), { name: 'Ada', tone: 'd' });
});

const SMALL = { type: 'object', properties: { name: { title: 'Name', type: 'string', maxLength: 20 } } };

test('Esc, the cross, Cancel and a click beside close it; focus goes back; what was written is not lost to a click beside', async (t) => {
  const page = await at.open(t);
  await page.evaluate(async () => { await (await import('./js/i18n.js')).loadTexts('en'); });
  const dialog = page.getByRole('dialog', { name: 'Name it' });
  const open = async () => {
    await page.getByRole('link', { name: 'New conversation' }).first().focus();
    await page.evaluate(async (schema) => {
      window.result = null;
      const { openFormDialog } = await import('./js/forms.js');
      openFormDialog({ title: 'Name it', schema }).then((is) => { window.result = { is }; });
    }, SMALL);
    await dialog.waitFor();
  };
  const ways = {
    Esc: () => page.keyboard.press('Escape'),
    cross: () => dialog.getByRole('button', { name: 'Close' }).click(),
    cancel: () => dialog.getByRole('button', { name: 'Cancel' }).click(),
    beside: () => page.mouse.click(5, 400),
  };
  for (const [name, close] of Object.entries(ways)) {
    await open();
    await close();
    await dialog.waitFor({ state: 'detached' });
    assert.deepEqual(await (await page.waitForFunction(() => window.result)).jsonValue(), { is: null }, name);
    assert.equal(await page.evaluate(() => document.activeElement.id), 'new', name);
  }
  await open();
  await dialog.getByRole('textbox', { name: 'Name' }).fill('Ada');
  await page.mouse.click(5, 400);
  assert.equal(await dialog.getByRole('textbox', { name: 'Name' }).inputValue(), 'Ada');
});

test('a press that begins inside and ends beside does not close; the page behind does not scroll', async (t) => {
  const { page, dialog } = await openForm(t, SMALL);
  await page.locator('#starters[aria-label]').waitFor({ state: 'attached' });      // with the configuration the messages are drawn anew
  await page.evaluate(() => {
    document.getElementById('welcome').hidden = true;
    document.getElementById('messages').append(...Array.from({ length: 200 }, () => Object.assign(document.createElement('p'), { textContent: 'Text' })));
  });
  const frames = () => page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
  const top = () => page.evaluate(() => document.getElementById('scroller').scrollTop);
  await frames();
  const before = await top();
  assert.ok(before > 1000);
  const box = await dialog.boundingBox();
  await page.mouse.move(box.x + 50, box.y + 20);
  await page.mouse.down();
  await page.mouse.move(5, 400);
  await page.mouse.up();
  await page.mouse.wheel(0, -300);
  await page.mouse.move(box.x + 50, box.y + 20);
  await page.mouse.wheel(0, -300);
  await frames();
  assert.equal(await top(), before);
  assert.equal(await dialog.isVisible(), true);
});

test('a full sheet on phones, without scrolling sideways at 320 px', async (t) => {
  const { page, dialog } = await openForm(t, FEEDBACK, {}, { viewport: { width: 320, height: 600 } });
  assert.deepEqual(await dialog.boundingBox(), { x: 0, y: 0, width: 320, height: 600 });
  assert.equal(await page.evaluate(() => document.querySelector('.panel-body').scrollWidth <= 320), true);
});
