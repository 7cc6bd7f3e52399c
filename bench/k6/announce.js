// Instances announce themselves.
//
//   SYSTEMS    how many (1000)
//   DURATION   seconds; as many as are done by then, instead of SYSTEMS
//   USERS      how many at a time (10)
//   MARK       begins their hostnames (instance)
//   PATH_ONLY  asks for this path instead, as often: what a request costs that touches no database
import http from 'k6/http';
import { check } from 'k6';
import exec from 'k6/execution';
import { Instance, SUSECONNECT, askAs } from './instance.js';
import { ALL_GOOD, number, options as build, summary, url } from './settings.js';

export const options = build(
  __ENV.DURATION
    ? { executor: 'constant-vus', vus: number('USERS', 10), duration: `${number('DURATION')}s` }
    : { executor: 'shared-iterations', iterations: number('SYSTEMS', 1000), vus: number('USERS', 10), maxDuration: '30m' },
  ['announce'],
  ALL_GOOD,
);

export default function () {
  if (__ENV.PATH_ONLY) {
    check(http.get(url + __ENV.PATH_ONLY, { headers: SUSECONNECT }), { 'answers 200': (answer) => answer.status === 200 });
    return;
  }
  const turn = exec.scenario.iterationInTest;
  const instance = new Instance(turn);
  instance.hostname = `${__ENV.MARK || 'instance'}-${turn}`;
  askAs(() => instance.announce());
}

export { summary as handleSummary };
