// The words of the diagnose page: what a verdict means, and what to change in which server. Pure functions, no markup.
// Neighbours: judge.js gives the verdict, api.js the errors, diagnose.js shows what is said here. Tested by tests/browser/advice.test.js.
// Leaves out: finding anything out.
//
// A step is {text, directive}: what to do, and the line to write, or null.

const SENTENCES = {
  live: "This server lets streams through: every piece arrived as it was sent.",
  uneven: "Nothing gathers the pieces, they arrive one by one, but late and at uneven times: the network or the server is slow at the moment.",
  clumped: "Something on the way holds streams back in part: several pieces arrive together. Answers appear in jerks.",
  held: "Something on the way holds streams back to their end: all pieces arrived together. Answers appear only when they are complete.",
  cut: "The stream was cut: it broke off before its last piece. Answers can break off in the same way.",
  nothing: "Nothing arrived in the stream.",
};

/** What a verdict of judge() means. */
export function sentenceFor({ kind }) {
  return SENTENCES[kind];
}

/** What to change, best guess first. `host`: {server, mode} as the stream said, or null; `encoding`: of the response, or "". */
export function stepsFor({ kind }, host, encoding) {
  if (kind === "uneven") return [step("Test again in a while, and from another network.")];
  if (kind === "cut" || kind === "nothing") return CUT;
  if (kind === "live") return [];
  return [...compressed(encoding), ...serverSteps(host), BETWEEN];
}

function step(text, directive = null) {
  return { text, directive };
}

// ---- streams that are held back

const LIGHTTPD = [
  step("In lighttpd, in the configuration of the whole server or in the block of the chat:", "server.stream-response-body = 2"),
];
const APACHE_FASTCGI = [
  step("In Apache with mod_proxy_fcgi, at the end of the ProxyPass line:", "flushpackets=on"),
  step("… or, where SetHandler is used instead, in the <Proxy> section of the program:", "ProxySet flushpackets=on"),
  step("In Apache with mod_fcgid, in the server's configuration or the virtual host; .htaccess may not set it:", "FcgidOutputBufferSize 0"),
  step("With mod_fcgid and no access to its configuration: run the program as plain CGI (chat.cgi) instead, which Apache does not hold back."),
];
const APACHE_CGI = [
  step("In Apache compression holds CGI output back. In .htaccess or the configuration (or leave text/event-stream out of mod_deflate's list of types):", "SetEnv no-gzip 1"),
];
const NGINX = [
  step("In nginx, in the location of the chat. Nothing above it may buffer either:", "fastcgi_buffering off;"),
];

const BY_SERVER = {
  "lighttpd fastcgi": LIGHTTPD,
  "lighttpd cgi": LIGHTTPD,
  "apache fastcgi": APACHE_FASTCGI,
  "apache cgi": APACHE_CGI,
  "nginx fastcgi": NGINX,
  // Many servers are told to hide their name, as lighttpd is by Parley's own lighttpd.conf.
  " fastcgi": [...LIGHTTPD, ...APACHE_FASTCGI, ...NGINX],
  " cgi": [...LIGHTTPD, ...APACHE_CGI],
};

function serverSteps(host) {
  return BY_SERVER[`${host?.server ?? ""} ${host?.mode ?? "fastcgi"}`.toLowerCase()] ?? [UNKNOWN];
}

const UNKNOWN = step("This page knows no directive for this server. Look in its manual for buffering of FastCGI or CGI output, and for compression, and switch both off for text/event-stream.");

const BETWEEN = step("If that is set already: a proxy, a content delivery network or an antivirus between the server and this browser may gather the pieces. "
  + "Look for its buffering or compression and leave text/event-stream out. The program asks for that with the headers Cache-Control: no-transform and X-Accel-Buffering: no; "
  + "see in the browser's network tools whether they still arrive.");

function compressed(encoding) {
  if (!encoding) return [];
  return [step(`The stream arrived compressed (${encoding}). A compressor gathers text before it passes any on: switch it off for text/event-stream.`)];
}

const CUT = [
  step("Test again. If it breaks off each time, look in the error log of the server: the program may have crashed or been ended, or the server or a proxy ends answers that take too long."),
];

// ---- no stream at all

const LOG = "The reason is in the error log of the server.";

const BY_STATUS = {
  401: ["This server wants you to sign in first.", "Open the chat, sign in there, and test again."],
  403: ["The server refuses to run the program.",
    "File and folder of the program need mode 755 and may not be writable by the group; CGI needs Options +ExecCGI. An access rule may also forbid the address.", LOG],
  404: ["The program answers, but it has no test stream: it is older than this page.", "Install program and page of the same version."],
  500: ["The server tried to run the program and failed.",
    "It may lack the mode 755, be built for another system, or end at once because of a setting; run it by hand with --check.", LOG],
  502: ["The server could not reach the program, or the program ended without an answer.", "See that it is started, and that the server and the program name the same socket.", LOG],
  503: ["The server finds no program that is ready.", "It may not be started, or be ending over and over.", LOG],
  504: ["The program did not answer the server in time.", LOG],
  508: ["This hosting plan allows no more programs at the same time.", "Close other chats and test again; each running answer counts as one."],
};

const BY_CODE = {
  network: ["The server cannot be reached, or it ended the connection without an answer.", "Check the connection; see whether the server still runs.", LOG],
  interrupted: ["The stream was cut before its first piece.", LOG],
  timeout: ["No piece arrived for half a minute.", "The program may hang or be waiting for a free place; or something on the way waits for an end that never comes.", LOG],
  bad_answer: ["What answers at the program's address is no test stream.", "Program and page may be of different versions, or a sign-in page or a proxy answers in the program's place."],
};

const NOT_STARTED = [
  "This page is there, but the program behind it was not found: it is not started, or the server does not know which addresses are its.",
  "FastCGI: see that the server starts chat.fcgi, or that it runs and both name the same socket, and that conversations, chat, health and diagnose beside this page are passed to it.",
  "CGI: see that cgi-bin/chat.cgi or chat.cgi is there, has mode 755, and that the server runs it (Options +ExecCGI and AddHandler cgi-script .cgi in Apache).",
];

/** What an ApiError means that came instead of the stream: {sentence, steps}. */
export function troubleOf(error) {
  const [sentence, ...texts] = textsOf(error);
  return { sentence, steps: texts.map((text) => step(text)) };
}

function textsOf(error) {
  if (error.code === "no_program") return BY_STATUS[telling(error.tried)] ?? NOT_STARTED;
  const known = error.isOurs && error.status !== 404 ? null : BY_STATUS[error.status];     // our program says it better
  return BY_CODE[error.code] ?? known ?? [error.message, LOG];
}

// Of what the addresses answered, the status that says more than "not here". 403 at every address does not: some servers say it to all
// that is unknown. Where others got 404, it does.
function telling(tried) {
  const statuses = tried.map(({ status }) => status);
  const broken = statuses.find((status) => status >= 500 && status !== 501);
  return broken ?? (statuses.includes(404) ? statuses.find((status) => status === 403) : undefined);
}
