// Machines announce themselves, as connect-ng does: a new connection each.
//
//   k6 run -e URL=http://127.0.0.1:4224 -e SYSTEMS=1000 -e CLIENTS=8 -e MARK=herd bench/k6/announce.js
//
// With PATH_ONLY=/api/health/status it asks for that instead, as often: what a request costs that
// touches no database.
import http from 'k6/http';
import { check } from 'k6';
import exec from 'k6/execution';

const url = __ENV.URL;
const mark = __ENV.MARK || 'bench';

export const options = {
  scenarios: {
    announce: {
      executor: 'shared-iterations',
      iterations: Number(__ENV.SYSTEMS || 1000),
      vus: Number(__ENV.CLIENTS || 8),
      maxDuration: '10m',
    },
  },
  thresholds: { checks: ['rate==1'], http_req_failed: ['rate==0'] },
  noConnectionReuse: true,
  summaryTrendStats: ['avg', 'med', 'p(95)', 'p(99)', 'max'],
  discardResponseBodies: false,
};

const headers = {
  'Content-Type': 'application/json',
  Accept: 'application/json,application/vnd.scc.suse.com.v4+json',
  'User-Agent': 'SUSEConnect/1.21.0',
};

function system(number) {
  return JSON.stringify({
    hostname: `${mark}-${number}`,
    hwinfo: {
      cpus: 4,
      sockets: 1,
      hypervisor: 'KVM',
      arch: 'x86_64',
      uuid: `00000000-0000-4000-8000-${String(number).padStart(12, '0')}`,
      cloud_provider: 'amazon',
      mem_total: 16384,
    },
    distro_target: 'sle-15-x86_64',
  });
}

export default function () {
  if (__ENV.PATH_ONLY) {
    check(http.get(url + __ENV.PATH_ONLY, { headers }), { 'answered 200': (r) => r.status === 200 });
    return;
  }
  const answer = http.post(`${url}/connect/subscriptions/systems`, system(exec.scenario.iterationInTest), {
    headers,
    timeout: '60s',
  });
  check(answer, {
    'answered 201': (r) => r.status === 201,
    'gave credentials': (r) => r.status === 201 && /^SCC_[0-9a-f]{32}$/.test(r.json('login')),
  });
}
