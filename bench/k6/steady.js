// A constant number of instances registers, one registration after the other.
//
//   USERS     how many at a time (10: as many as RMT's Puma has threads)
//   DURATION  seconds (60)
import exec from 'k6/execution';
import { Instance, registerAs } from './instance.js';
import { ALL_GOOD, REGISTRATION, number, options as build, summary } from './settings.js';

export const options = build(
  { executor: 'constant-vus', vus: number('USERS', 10), duration: `${number('DURATION', 60)}s` },
  REGISTRATION,
  { ...ALL_GOOD, registered: ['rate==1'] },
);

export default function () {
  registerAs(new Instance(exec.scenario.iterationInTest));
}

export { summary as handleSummary };
