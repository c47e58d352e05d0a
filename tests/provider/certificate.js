// Certificates for tests, of any dates and names: an authority of one's own and what it signs. X.509 (RFC 5280) in DER, as little as TLS wants.
//
//   const ca = authority();                               ca.cert, PEM: what LLM_CA_FILE names
//   const { cert, key } = ca.issue({ names: ['127.0.0.1'], from: new Date(…), to: new Date(…) });
//   selfSigned({ names })                                 signed by nobody else
//
// Neighbours: raw.js (serves with them).
import { generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import net from 'node:net';

const DAY = 86_400_000;

/** One element: tag, length, content. */
function der(tag, ...parts) {
  const content = Buffer.concat(parts.map((p) => (Buffer.isBuffer(p) ? p : Buffer.from(p))));
  const n = content.length;
  const length = n < 0x80 ? [n] : n < 0x100 ? [0x81, n] : [0x82, n >> 8, n & 255];
  return Buffer.concat([Buffer.from([tag, ...length]), content]);
}
const sequence = (...parts) => der(0x30, ...parts);
const ECDSA_SHA256 = sequence(der(0x06, [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02]));
const named = (name) => sequence(der(0x31, sequence(der(0x06, [0x55, 0x04, 0x03]), der(0x0c, name))));
const time = (date) => der(0x18, date.toISOString().replace(/[-:T]/g, '').replace(/\.\d+Z$/, 'Z'));
const extension = (id, ...value) => sequence(der(0x06, [0x55, 0x1d, id]), der(0x04, ...value));
const bits = (bytes) => der(0x03, [0], bytes);

/** subjectAltName: addresses and names. */
const alternatives = (names) => extension(0x11, sequence(...names.map((n) => (net.isIPv4(n) ? der(0x87, n.split('.').map(Number)) : der(0x82, n)))));
const isAuthority = extension(0x13, sequence(der(0x01, [0xff])));

function certificate({ subject, issuer, from, to, key, signedBy, extensions }) {
  const tbs = sequence(
    der(0xa0, der(0x02, [2])), der(0x02, [1], randomBytes(15)), ECDSA_SHA256, named(issuer), sequence(time(from), time(to)), named(subject),
    key.export({ type: 'spki', format: 'der' }), der(0xa3, sequence(...extensions)),
  );
  const whole = sequence(tbs, ECDSA_SHA256, bits(sign('sha256', tbs, signedBy)));
  return `-----BEGIN CERTIFICATE-----\n${whole.toString('base64').replace(/(.{64})(?=.)/g, '$1\n')}\n-----END CERTIFICATE-----\n`;
}

const pair = () => generateKeyPairSync('ec', { namedCurve: 'P-256' });
const pem = (key) => key.export({ type: 'pkcs8', format: 'pem' });
const yesterday = () => new Date(Date.now() - DAY);
const tomorrow = () => new Date(Date.now() + DAY);

export function authority(name = `Parley tests ${randomBytes(4).toString('hex')}`) {
  const own = pair();
  return {
    cert: certificate({ subject: name, issuer: name, from: yesterday(), to: tomorrow(), key: own.publicKey, signedBy: own.privateKey, extensions: [isAuthority] }),
    issue({ names = ['127.0.0.1'], from = yesterday(), to = tomorrow() } = {}) {
      const { publicKey, privateKey } = pair();
      return { cert: certificate({ subject: names[0], issuer: name, from, to, key: publicKey, signedBy: own.privateKey, extensions: [alternatives(names)] }), key: pem(privateKey) };
    },
  };
}

export function selfSigned({ names = ['127.0.0.1'], from = yesterday(), to = tomorrow() } = {}) {
  const { publicKey, privateKey } = pair();
  return { cert: certificate({ subject: names[0], issuer: names[0], from, to, key: publicKey, signedBy: privateKey, extensions: [alternatives(names)] }), key: pem(privateKey) };
}
