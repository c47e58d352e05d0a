// Random documents in Markdown, and random ways of cutting them, the same for the same seed.
// Neighbours: markdown.test.js draws them whole and in pieces. Leaves out: documents that mean something.

/** Numbers from 0 to 1 out of a seed (mulberry32). */
export function createRandom(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6D2B79F5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

const WORDS = ['plain', 'words', 'ünïcödé', '日本語', 'שלום', '👩‍👩‍👧 family', '🇩🇪', 'a_b_c', '2*3*4', 'C++', '$5 and $10', 'array[0]', 'x < y && z', '&amp; &copy; &#x41;', 'back\\*slash', '\\', 'http',
  'e.g.', '1. no list', '100%', '~tilde~', 'a|b', '[x]', '!', '`', '**', '$', '\\(', '...', '<b>html</b>', '<!-- no -->', 'README.md', 'me@example.com', 'NUL\0', '\u202Eturned'];

const INLINE = [
  (pick) => `**${pick()}**`, (pick) => `*${pick()}*`, (pick) => `***${pick()}***`, (pick) => `__${pick()}__`, (pick) => `~~${pick()}~~`, (pick) => `\`${pick()}\``,
  (pick) => `\`\`${pick()} \` ${pick()}\`\``, (pick) => `[${pick()}](https://example.com/${pick().length})`, (pick) => `[${pick()}](<https://example.com/a b> "title")`,
  (pick) => `![${pick()}](https://example.org/x.png)`, (pick) => `![${pick()}](data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7)`, () => 'https://example.com/a?b=c#d',
  () => '<https://example.com>', () => '$E = mc^2$', () => '\\(a_1 + b_2\\)', () => '$$x^2$$', () => '\\[y^2\\]', (pick) => `[${pick()}][ref]`, () => '[ref]', () => '[later][]', (pick) => `**${pick()} *${pick()}* ${pick()}**`,
  () => 'hard  \nbreak', () => 'hard\\\nbreak',
];

const BLOCKS = [
  (text) => text(), (text) => `${text()}\n${text()}`, (text) => `# ${text()}`, (text) => `### ${text()} ###`, (text) => `${text()}\n===`, (text) => `${text()}\n---`, () => '---', () => '***',
  (text) => `- ${text()}\n- ${text()}\n  - ${text()}\n- ${text()}`, (text) => `* ${text()}\n\n  ${text()}\n\n* ${text()}`, (text) => `1. ${text()}\n2. ${text()}\n\n   \`\`\`js\n   let x = 1;\n   \`\`\`\n3. ${text()}`,
  (text) => `7) ${text()}\n8) ${text()}`, (text) => `- [ ] ${text()}\n- [x] ${text()}`, (text) => `> ${text()}\n> ${text()}\n${text()}`, (text) => `> - ${text()}\n>   > ${text()}`,
  () => '```python\ndef f(x):\n    return x ** 2  # why\n```', () => '~~~\nplain ``` inside\n\n- no list\n~~~', () => '````md\n```js\nlet y;\n```\n````', () => '  ```json\n  {"a": [1, null]}\n  ```', () => '```\n\n\n```',
  () => '```unknown-language\nsome\ttext\n```', () => '    indented code\n\n    more', () => '```js\nconst never = "closed";\n', (text) => `| a | ${text().replaceAll('|', '').replaceAll('\n', ' ')} |\n|:--|--:|\n| 1 | \`c\` |\n| 2 |`, () => 'a | b\n-|-\n1 | 2',
  (text) => `${text()}\n| a | b |\n|---|---|\n| 1 | 2 |`, () => '$$\n\\frac{a}{b}\n$$', () => '\\[\n- x\n= y\n\\]', () => '$$ unclosed\n# x', (text) => `${text()}\n$$\n- x\n+ y\n$$`, (text) => `$$\n${text()}`, () => '$$\n\nx\n$$', () => '\\[ x \\] and more',
  () => '[ref]: https://example.com/ref "a title"', () => '[later]: <https://example.com/later>', () => '[ref]:\n  https://example.com/two\n  \'title\n  in lines\'', () => '<div onclick="x()">block</div>', () => '<script>\nalert(1)\n</script>',
  () => '-', () => '1.', () => '#', () => '>', () => '+ \n\n  x', () => '- a\n---x', () => '* a\n***b***', () => 'a\n--', () => '- a\n\n\n  b\n\n- c', () => '1. a\n\n\n    code?', () => '&nbsp;', () => '\t- tab\n\t\t- tabs', () => '```a`b', () => '- ```\n  open', () => '> ```\n> open\nlazy',
];

/** A document of `size` blocks at most. */
export function randomDocument(random, size = 9) {
  const one = (list) => list[Math.floor(random() * list.length)];
  const word = () => one(WORDS);
  const text = () => Array.from({ length: 1 + Math.floor(random() * 6) }, () => (random() < 0.6 ? word() : one(INLINE)(word))).join(' ');
  const blocks = Array.from({ length: 1 + Math.floor(random() * size) }, () => one(BLOCKS)(text));
  const joined = blocks.map((block) => block + one(['\n\n', '\n\n', '\n', '\n\n\n', '\n \n'])).join('');
  const ended = random() < 0.5 ? joined.trimEnd() : joined;
  return random() < 0.1 ? ended.replaceAll('\n', '\r\n') : ended;
}

/** The text in pieces as they come from a provider: of letters, of UTF-16, of bytes (as a stream's decoder gives them), or one by one. */
export function randomPieces(random, text) {
  const longest = [1, 4, 12, 60, 400][Math.floor(random() * 5)];
  const pieces = [];
  const decoder = random() < 0.4 ? new TextDecoder() : null;
  const whole = decoder ? new TextEncoder().encode(text) : text;
  for (let at = 0; at < whole.length;) {
    const length = 1 + Math.floor(random() * longest);
    const piece = whole.slice(at, at + length);
    pieces.push(decoder ? decoder.decode(piece, { stream: true }) : piece);
    at += length;
  }
  return pieces;
}
