// An instance that registers, as SUSEConnect (connect-ng) and zypper do it: the same requests in the
// same order, a new connection for each, and with each the System-Token that was received last.
import http from 'k6/http';
import { check } from 'k6';
import encoding from 'k6/encoding';
import { latency, products, regcode, registered, registration, url } from './settings.js';

// Clients wait as long, and do not try again.
const TIMEOUT = '60s';
export const SUSECONNECT = {
  'Content-Type': 'application/json',
  Accept: 'application/json,application/vnd.scc.suse.com.v4+json',
  'User-Agent': 'SUSEConnect/1.21.0',
};
const ZYPPER = { 'User-Agent': 'ZYpp 17.31.0 (curl 8.0.1) openSUSE-Leap-15.6-x86_64', Accept: '*/*' };

// k6's numbers for what happened to a connection.
const CAUSES = { 1050: 'timeout', 1211: 'no connection in time', 1212: 'connection refused', 1220: 'connection reset' };

// The end of a registration: clients stop at the first answer that is not what it should be.
class Failed extends Error {
  constructor(endpoint, cause) {
    super(`${endpoint}: ${cause}`);
    this.failed = { endpoint, cause };
  }
}

// The end of the measuring cut it off.
class Interrupted extends Error {}

function causeOf(answer, status) {
  if (answer.status === status) return 'unexpected body';
  if (answer.status > 0) return `status ${answer.status}`;
  return CAUSES[answer.error_code] || answer.error.replace(/\d+(\.\d+){3}:\d+/g, 'address').slice(0, 100);
}

export class Instance {
  // number: names the instance. known: login, password and token of one that is registered.
  constructor(number, known = {}) {
    this.hostname = `instance-${number}`;
    this.uuid = `00000000-0000-4000-8000-${String(number).padStart(12, '0')}`;
    this.product = products[number % products.length];
    this.requests = 0;
    Object.assign(this, { token: '' }, known);
  }

  register() {
    this.announce();
    const services = [this.activate(this.product, 'activate')];
    for (const extension of this.show()) services.push(this.activate(extension, 'activate-module'));
    this.update();
    for (const service of services) this.readService(service);
  }

  announce() {
    const body = { hostname: this.hostname, distro_target: `sle-15-${this.product.arch}`, ...this.information() };
    const answer = this.ask('announce', 'POST', '/connect/subscriptions/systems', body, 201, {
      Authorization: `Token token=${regcode}`,
    });
    this.expect('announce', 'gives credentials', answer, /"login":"SCC_[0-9a-f]{32}","password":"[0-9a-f]{16}"/.test(answer.body));
    this.login = answer.json('login');
    this.password = answer.json('password');
  }

  // Gives the service's id.
  activate(product, endpoint) {
    const answer = this.ask(endpoint, 'POST', '/connect/systems/products', { ...triplet(product), token: regcode }, 201);
    // The whole answer is a tree of products; what the client needs stands before it.
    const service = /^{"id":(\d+),/.exec(answer.body);
    const named = answer.body.includes(`"identifier":"${product.identifier}"`);
    this.expect(endpoint, 'gives the service of the product', answer, service && named);
    return service[1];
  }

  // Gives what is to be activated besides the base product.
  show() {
    const answer = this.ask('show', 'GET', '/connect/systems/products', triplet(this.product), 200);
    const { identifier, extensions } = parsed(answer.body);
    this.expect('show', 'gives the tree of the product', answer, identifier === this.product.identifier && extensions.length > 0);
    return extensions;
  }

  // days: [['2026-11-20', '0…1'], …], the hours at which it was up.
  update(days) {
    const body = { hostname: this.hostname, ...this.information() };
    if (days) body.online_at = days.map(([day, hours]) => `${day}:${hours}`);
    const answer = this.ask('update', 'PUT', '/connect/systems', body, 204);
    this.expect('update', 'gives nothing', answer, !answer.body);
  }

  readService(id) {
    const path = `/services/${id}/repo/repoindex.xml`;
    let answer = this.ask('service-unauthenticated', 'GET', path, null, [401, 200], ZYPPER);
    if (answer.status === 401) {
      answer = this.ask('service', 'GET', path, null, 200, { ...ZYPPER, Authorization: this.basic() });
    }
    this.expect('service', 'gives repositories', answer, /^<repoindex ttl="\d+"><repo /.test(answer.body));
  }

  ask(endpoint, method, path, body, status, headers = {}) {
    const wanted = [].concat(status);
    const zypper = headers['User-Agent'] === ZYPPER['User-Agent'];
    const own = zypper ? {} : { ...SUSECONNECT, Authorization: this.basic(), 'System-Token': this.token };
    const begun = Date.now();
    const answer = http.request(method, url + path, body && JSON.stringify(body), {
      headers: { ...own, ...headers },
      timeout: TIMEOUT,
      responseCallback: http.expectedStatuses(...wanted),
      tags: { endpoint, name: endpoint },
    });
    this.requests += 1;
    if (answer.error.endsWith('context canceled')) throw new Interrupted();
    const { blocked, duration } = answer.timings;
    latency.add(answer.status ? blocked + duration : Date.now() - begun, { endpoint });
    // Also from errors: the token is changed before the rest is done.
    if (!zypper && answer.headers['System-Token']) this.token = answer.headers['System-Token'];
    const right = wanted.includes(answer.status);
    check(answer, { [`${endpoint} answers ${wanted.join(' or ')}`]: () => right }, { endpoint });
    if (!right) throw new Failed(endpoint, causeOf(answer));
    return answer;
  }

  expect(endpoint, what, answer, holds) {
    if (!check(answer, { [`${endpoint} ${what}`]: () => Boolean(holds) }, { endpoint })) {
      throw new Failed(endpoint, causeOf(answer, answer.status));
    }
  }

  basic() {
    return this.login ? `Basic ${encoding.b64encode(`${this.login}:${this.password}`)}` : undefined;
  }

  information() {
    return {
      hwinfo: {
        cpus: 4,
        sockets: 1,
        hypervisor: 'KVM',
        arch: this.product.arch,
        uuid: this.uuid,
        cloud_provider: 'amazon',
        mem_total: 16384,
      },
    };
  }
}

function triplet({ identifier, version, arch }) {
  return { identifier, version, arch };
}

// Every recommended and available extension, each before its own ones.
function chosen(extensions) {
  return extensions
    .filter((extension) => extension.recommended && extension.available)
    .flatMap((extension) => [triplet(extension), ...chosen(extension.extensions)]);
}

// Parsing such a tree costs more than asking for it, and the client's costs are not the question:
// each virtual user parses a text once.
const known = new Map();

function parsed(text) {
  if (!known.has(text)) {
    if (known.size >= products.length) known.clear();
    let tree = {};
    try {
      tree = JSON.parse(text);
    } catch {
      // The check says so.
    }
    known.set(text, { identifier: tree.identifier, extensions: chosen(tree.extensions || []) });
  }
  return known.get(text);
}

// Does it, and writes down in the journal (k6's console) what came of it: a line of JSON for each
// registration, or for what failed.
export function registerAs(instance) {
  const outcome = attempt(() => instance.register());
  if (!outcome.interrupted) registered.add(!outcome.failed);
  if (!outcome.interrupted && !outcome.failed) registration.add(outcome.ended - outcome.begun);
  console.log(JSON.stringify({ ...outcome, requests: instance.requests }));
}

// One request.
export function askAs(action) {
  const outcome = attempt(action);
  if (outcome.failed) console.log(JSON.stringify({ ...outcome, requests: 1 }));
}

function attempt(action) {
  const begun = Date.now();
  let failed = null;
  let interrupted = false;
  try {
    action();
  } catch (error) {
    if (error instanceof Interrupted) interrupted = true;
    else if (error instanceof Failed) failed = error.failed;
    else {
      // A mistake of the script's: k6 would go on without a word.
      check(null, { 'the script works': () => false });
      failed = { endpoint: 'script', cause: String(error) };
    }
  }
  return { begun, ended: Date.now(), failed, interrupted };
}
