// What all scenarios share: where they aim, what is measured of every request, and the summary.
//
// In the environment (k6 run -e NAME=value):
//   URL       base URL of the server; required
//   DOOR      a tag of every figure: off, controller …
//   PRODUCTS  base products to register, as IDENTIFIER/VERSION/ARCH, separated by commas
//   REGCODE   the registration code for them
//   XML       no: registrations end before zypper reads the services' XML
//   SUMMARY   a file for the figures as JSON, instead of a few lines on the terminal
import { Rate, Trend } from 'k6/metrics';

export const url = (__ENV.URL || '').replace(/\/$/, '');
if (!url) throw new Error('URL is missing: k6 run -e URL=http://127.0.0.1:4224 …');

export const door = __ENV.DOOR || 'unknown';
export const regcode = __ENV.REGCODE || '';
export const products = (__ENV.PRODUCTS || 'SLES/15.6/x86_64').split(',').map((triplet) => {
  const [identifier, version, arch] = triplet.split('/');
  return { identifier, version, arch };
});

// From the opening of the connection to the last byte, as a client waits for it: k6's own
// http_req_duration begins when the connection is there.
export const latency = new Trend('latency', true);
// From the first request of a registration to the last answer; of those that succeed.
export const registration = new Trend('registration', true);
// Whether registrations succeed.
export const registered = new Rate('registered');

export const xml = __ENV.XML !== 'no';

// What a registration asks for. Zypper asks for a service's XML without credentials first.
const REGISTRATION = ['announce', 'activate', 'show', 'activate-module', 'update'];
const XML = ['service-unauthenticated', 'service'];

export function requestsOf(withXml) {
  return withXml ? [...REGISTRATION, ...XML] : REGISTRATION;
}

// Percentiles from which the distribution can be drawn.
const PERCENTILES = [1, 2, 5, 10, 20, 30, 40, 50, 60, 70, 80, 85, 90, 93, 95, 96, 97, 98, 99, 99.5, 99.9];

export function number(name, fallback) {
  const value = Number(__ENV[name] || fallback);
  if (!(value > 0)) throw new Error(`${name}=${__ENV[name]} is no number above 0`);
  return value;
}

// k6 leaves figures by tag out of its summary unless a threshold names them.
function figuresOf(endpoints) {
  const figures = {};
  for (const endpoint of endpoints) figures[`latency{endpoint:${endpoint}}`] = ['max>=0'];
  return figures;
}

// The options of a scenario: one executor, the endpoints it asks, what must hold.
export function options(scenario, endpoints, thresholds) {
  return {
    scenarios: { registration: { gracefulStop: '60s', ...scenario } },
    thresholds: { ...figuresOf(endpoints), ...thresholds },
    // connect-ng opens a connection for each request.
    noConnectionReuse: true,
    tags: { door },
    // Nobody looks at k6's own figures by URL, method, status and so on.
    systemTags: [],
    summaryTrendStats: ['count', 'avg', 'min', 'med', 'max', ...PERCENTILES.map((percentile) => `p(${percentile})`)],
  };
}

// Every answer as it should be.
export const ALL_GOOD = { checks: ['rate==1'], http_req_failed: ['rate==0'] };

export function summary(data) {
  if (__ENV.SUMMARY) return { [__ENV.SUMMARY]: JSON.stringify(data) };

  const seconds = data.state.testRunDurationMs / 1000;
  const lines = Object.entries(data.metrics).filter(([, metric]) => metric.type === 'trend' && metric.values.count);
  return {
    stdout: `door ${door}, ${seconds.toFixed(1)} s\n${lines.map(([name, metric]) => line(name, metric.values, seconds)).join('\n')}\n`,
  };
}

function line(name, values, seconds) {
  const times = ['med', 'p(95)', 'p(99)', 'max'].map((stat) => `${stat} ${values[stat].toFixed(1)} ms`);
  return `${name}: ${values.count} (${(values.count / seconds).toFixed(1)}/s), ${times.join(', ')}`;
}
