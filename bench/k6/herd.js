// Instances that boot within seconds and register once, each.
//
//   INSTANCES  how many (2000)
//   WITHIN     seconds from the first to the last arrival (5)
//   XML        no: they do not read their services' XML, as zypper would (yes)
import { sleep } from 'k6';
import exec from 'k6/execution';
import { Instance, registerAs } from './instance.js';
import { number, options as build, requestsOf, summary, xml } from './settings.js';

const [instances, within] = [number('INSTANCES', 2000), number('WITHIN', 5)];

export const options = build(
  { executor: 'per-vu-iterations', vus: instances, iterations: 1, maxDuration: '30m' },
  requestsOf(xml),
  { registered: ['rate==1'] },
);

export default function () {
  const turn = exec.vu.idInTest - 1;
  const arrival = exec.scenario.startTime + (within * 1000 * turn) / instances;
  sleep(Math.max(arrival - Date.now(), 0) / 1000);
  registerAs(new Instance(turn), { xml, each: true });
}

export { summary as handleSummary };
