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

function causeOf(answer, statuses) {
  if (statuses.includes(answer.status)) return 'unexpected body';
  if (answer.status > 0) return `status ${answer.status}`;
  return CAUSES[answer.error_code] || answer.error.replace(/\d+(\.\d+){3}:\d+/g, 'address').slice(0, 100);
}

// What k6 is told of each request: the same for all of an endpoint, so made once.
function endpointOf(name, ...statuses) {
  return {
    name,
    statuses,
    responseCallback: http.expectedStatuses(...statuses),
    tags: { endpoint: name },
    check: `${name} answers as it should`,
  };
}

const ANNOUNCE = endpointOf('announce', 201);
const ACTIVATE = endpointOf('activate', 201);
const SHOW = endpointOf('show', 200);
const ACTIVATE_MODULE = endpointOf('activate-module', 201);
const UPDATE = endpointOf('update', 204);
// Whether a service needs credentials is the server's affair.
const SERVICE_UNAUTHENTICATED = endpointOf('service-unauthenticated', 401, 200);
const SERVICE = endpointOf('service', 200);

const CREDENTIALS = /^{.*"login":"SCC_[0-9a-f]{32}","password":"[0-9a-f]{16}"/;
const REPOSITORIES = /^<repoindex ttl="\d+"><repo /;

export class Instance {
  // number: names the instance. known: login, password and token of one that is registered.
  constructor(number, known = {}) {
    this.hostname = `instance-${number}`;
    this.uuid = `00000000-0000-4000-8000-${String(number).padStart(12, '0')}`;
    this.product = products[number % products.length];
    this.requests = 0;
    this.token = '';
    Object.assign(this, known);
    this.identify();
  }

  // xml: whether zypper then reads the services' XML.
  register(xml) {
    this.announce();
    const services = [this.activate(this.product, ACTIVATE)];
    for (const extension of this.show()) services.push(this.activate(extension, ACTIVATE_MODULE));
    this.update();
    if (xml) for (const service of services) this.readService(service);
  }

  announce() {
    const body = { hostname: this.hostname, distro_target: `sle-15-${this.product.arch}`, ...this.information() };
    const announced = { ...SUSECONNECT, Authorization: `Token token=${regcode}`, 'System-Token': this.token };
    const { login, password } = this.ask(ANNOUNCE, 'POST', '/connect/subscriptions/systems', body, announced, (answer, text) =>
      CREDENTIALS.test(text) && JSON.parse(text));
    Object.assign(this, { login, password });
    this.identify();
  }

  // Gives the service's id.
  activate(product, endpoint) {
    const named = `"identifier":"${product.identifier}"`;
    // The whole answer is a tree of products; what the client needs stands before it.
    const [, service] = this.ask(endpoint, 'POST', '/connect/systems/products', { ...product, token: regcode }, this.own(),
      (answer, text) => text.includes(named) && /^{"id":(\d+),/.exec(text));
    return service;
  }

  // Gives what is to be activated besides the base product.
  show() {
    return this.ask(SHOW, 'GET', '/connect/systems/products', this.product, this.own(), (answer, text) => {
      const { identifier, offered, extensions } = treeOf(answer, text);
      return identifier === this.product.identifier && offered && extensions;
    });
  }

  // days: [['2026-11-20', '0…1'], …], the hours at which it was up.
  update(days) {
    const body = { hostname: this.hostname, ...this.information() };
    if (days) body.online_at = days.map(([day, hours]) => `${day}:${hours}`);
    this.ask(UPDATE, 'PUT', '/connect/systems', body, this.own(), (answer, text) => !text);
  }

  readService(id) {
    const path = `/services/${id}/repo/repoindex.xml`;
    const without = this.ask(SERVICE_UNAUTHENTICATED, 'GET', path, null, ZYPPER, (answer, text, status) =>
      (status === 401 || REPOSITORIES.test(text)) && { status });
    if (without.status !== 401) return;
    this.ask(SERVICE, 'GET', path, null, { ...ZYPPER, Authorization: this.basic }, (answer, text) => REPOSITORIES.test(text));
  }

  // found: what the client takes from an answer with a status as it should be, the answer's body among its
  // arguments; nothing when it is not there. k6 looks up each property of an answer anew, which costs more the
  // larger the body is: each is read once.
  ask(endpoint, method, path, body, headers, found) {
    const begun = Date.now();
    const answer = http.request(method, url + path, body && JSON.stringify(body), {
      headers,
      timeout: TIMEOUT,
      responseCallback: endpoint.responseCallback,
      tags: endpoint.tags,
    });
    this.requests += 1;
    const { status } = answer;
    if (!status && answer.error.endsWith('context canceled')) throw new Interrupted();
    latency.add(status ? took(answer.timings) : Date.now() - begun, endpoint.tags);
    // Also from errors: the token is changed before the rest is done.
    if (headers['System-Token'] !== undefined) this.token = answer.headers['System-Token'] || this.token;
    const text = answer.body;
    const taken = endpoint.statuses.includes(status) && found(answer, text, status);
    check(null, { [endpoint.check]: () => Boolean(taken) });
    if (!taken) throw new Failed(endpoint.name, causeOf(answer, endpoint.statuses));
    return taken;
  }

  own() {
    return { ...SUSECONNECT, Authorization: this.basic, 'System-Token': this.token };
  }

  identify() {
    if (this.login) this.basic = `Basic ${encoding.b64encode(`${this.login}:${this.password}`)}`;
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

function took({ blocked, duration }) {
  return blocked + duration;
}

// What the client takes from a product's tree. To look for it in the text costs a tenth of making objects of the whole
// tree, which would take longer than the server's answer; and each virtual user looks into a text once.
const known = new Map();

function treeOf(answer, text) {
  if (!known.has(text)) {
    if (known.size >= products.length) known.clear();
    known.set(text, {
      identifier: answer.json('identifier'),
      offered: answer.json('extensions.#') > 0,
      extensions: chosen(answer, 'extensions'),
    });
  }
  return known.get(text);
}

// Every recommended and available extension, each before its own ones.
function chosen(answer, path) {
  const extensions = answer.json(`${path}.#.{identifier,version,arch,recommended,available}`) || [];
  return extensions.flatMap(({ identifier, version, arch, recommended, available }, index) =>
    recommended && available ? [{ identifier, version, arch }, ...chosen(answer, `${path}.${index}.extensions`)] : []);
}

// Does it, and writes down in the journal (k6's console) what came of it: a line of JSON for each
// registration, or only for what failed.
export function registerAs(instance, { xml, each }) {
  const outcome = attempt(() => instance.register(xml));
  if (!outcome.interrupted) registered.add(!outcome.failed);
  if (!outcome.interrupted && !outcome.failed) registration.add(outcome.ended - outcome.begun);
  if (each || outcome.failed || outcome.interrupted) console.log(JSON.stringify({ ...outcome, requests: instance.requests }));
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
