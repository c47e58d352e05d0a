// The ways of running the program that the suite knows, and what each of them cannot do. PARLEY_TEST_HOSTING chooses one.
// Neighbours: server.js starts them; lighttpd.conf and apache.conf say how. A test that asks for a capability says so by
// `skip: lacks('name')`; everything else must be the same everywhere.

/** name → server, mode of its configuration, -D words for Apache. */
export const HOSTINGS = {
  'lighttpd-fastcgi': { server: 'lighttpd', mode: 'fastcgi' },
  'lighttpd-cgi': { server: 'lighttpd', mode: 'cgi' },
  'apache-fastcgi': { server: 'apache', mode: 'fastcgi', defines: ['FASTCGI'] },
  'apache-fcgid': { server: 'apache', mode: 'fcgid', defines: ['FCGID'] },
  'apache-cgi': { server: 'apache', mode: 'cgi', defines: ['CGI'] },
  'apache-cgi-prefork': { server: 'apache', mode: 'cgi', defines: ['CGI', 'PREFORK'] },
};

export const HOSTING = process.env.PARLEY_TEST_HOSTING || 'lighttpd-fastcgi';
if (!HOSTINGS[HOSTING]) throw new Error(`PARLEY_TEST_HOSTING is one of ${Object.keys(HOSTINGS).join(', ')}, not ${HOSTING}`);

/** capability → where it is, why not elsewhere, what the program does there instead. */
export const CAPABILITIES = {
  seesSilentLeave: {
    only: ['lighttpd-fastcgi'],
    why: 'only lighttpd passes on to a FastCGI program that a client has closed its side',
    instead: 'the answer is finished and stored all the same; that nobody reads it is noticed by the pings',
  },
  threadedWorker: {
    only: ['lighttpd-fastcgi', 'apache-fastcgi'],
    why: 'here each request that runs has a process of its own, so there is no one process whose threads, descriptors or memory could be counted',
    instead: 'the kernel takes back what a process had when it ends',
  },
  severalWorkers: {
    only: ['lighttpd-fastcgi', 'lighttpd-cgi', 'apache-fcgid', 'apache-cgi', 'apache-cgi-prefork'],
    why: 'with --listen there is one worker for one socket',
    instead: 'its threads make all answers',
  },
  stopWithoutStore: {
    only: ['lighttpd-fastcgi', 'apache-fastcgi'],
    why: 'the process that is asked to stop an answer is not the one that makes it, and tells it through the database',
    instead: 'while the database is locked Stop is 503 store_unavailable; it works when the lock is gone',
  },
  residentWorker: {
    only: ['lighttpd-fastcgi', 'apache-fastcgi', 'apache-fcgid'],
    why: 'a plain CGI process is there for its request only',
    instead: 'the next request starts the next process',
  },
  cutOnKill: {
    only: ['lighttpd-fastcgi', 'apache-fastcgi'],
    why: 'CGI and mod_fcgid end the HTTP answer in good order when the program was killed',
    instead: 'a stream without its terminal event is an error to the page',
  },
};

/** For a test's `skip`: false when this hosting has all of them, else the sentence why not. */
export function lacks(...names) {
  for (const name of names) {
    const c = CAPABILITIES[name];
    if (!c) throw new Error(`no capability is called ${name}`);
    if (!c.only.includes(HOSTING)) return `${HOSTING} has no ${name}: ${c.why}; ${c.instead}`;
  }
  return false;
}
