// A constant number of instances registers, one registration after the other.
//
//   USERS          how many at a time (10: as many as RMT's Puma has threads)
//   DURATION       seconds (60)
//   REGISTRATIONS  how many at most; as many as DURATION allows for when it is left out
//   XML            no: they do not read their services' XML, as zypper would (yes)
import exec from 'k6/execution';
import { Instance, registerAs } from './instance.js';
import { ALL_GOOD, number, options as build, requestsOf, summary, xml } from './settings.js';

const [users, seconds] = [number('USERS', 10), number('DURATION', 60)];
const limited = __ENV.REGISTRATIONS && number('REGISTRATIONS');

export const options = build(
  limited
    ? { executor: 'shared-iterations', vus: users, iterations: limited, maxDuration: `${seconds}s` }
    : { executor: 'constant-vus', vus: users, duration: `${seconds}s` },
  requestsOf(xml),
  { ...ALL_GOOD, registered: ['rate==1'] },
);

export default function () {
  // Each user has products of its own: it looks into few trees.
  const number = exec.vu.idInTest - 1 + exec.vu.iterationInScenario * users;
  registerAs(new Instance(number), { xml });
}

export { summary as handleSummary };
