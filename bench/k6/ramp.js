// Registrations arrive at a rate that is raised step by step until latency or errors give way.
//
//   RAMP_FROM, RAMP_TO  registrations per second: of the first step (1), and the most (200)
//   RAMP_FACTOR         from step to step (1.25)
//   RAMP_STEP           seconds of each (10)
//   RAMP_LIMIT          milliseconds: it has given way when 5 of 100 requests take longer (1000)
//   RAMP_USERS          instances that may be under way at a time (500)
import exec from 'k6/execution';
import { Instance, registerAs } from './instance.js';
import { number, options as build, requestsOf, summary } from './settings.js';

const [from, to] = [number('RAMP_FROM', 1), number('RAMP_TO', 200)];
const [factor, step] = [number('RAMP_FACTOR', 1.25), number('RAMP_STEP', 10)];
if (factor <= 1) throw new Error(`RAMP_FACTOR=${factor} does not raise anything: give one above 1`);
const rates = [];
for (let rate = from; rate <= to * 1.000001; rate *= factor) rates.push(rate);

// What ends it is not looked at before the step is over.
const thresholds = {};
rates.forEach((_, index) => {
  const delayAbortEval = `${(index + 1) * step}s`;
  thresholds[`latency{step:${index}}`] = [{ threshold: `p(95)<${number('RAMP_LIMIT', 1000)}`, abortOnFail: true, delayAbortEval }];
  thresholds[`registered{step:${index}}`] = [{ threshold: 'rate>0.99', abortOnFail: true, delayAbortEval }];
});
// Nobody was left to begin one in time.
thresholds.dropped_iterations = [{ threshold: 'count<1', abortOnFail: true }];

export const options = build(
  {
    executor: 'ramping-arrival-rate',
    // Rates are whole numbers.
    timeUnit: '1000s',
    startRate: Math.round(from * 1000),
    stages: rates.flatMap((rate) => [0, step].map((seconds) => ({ target: Math.round(rate * 1000), duration: `${seconds}s` }))),
    preAllocatedVUs: number('RAMP_USERS', 500),
  },
  requestsOf(true),
  thresholds,
);

export default function () {
  const passed = (Date.now() - exec.scenario.startTime) / 1000;
  exec.vu.metrics.tags.step = String(Math.min(Math.floor(passed / step), rates.length - 1));
  registerAs(new Instance(exec.scenario.iterationInTest), { xml: true, each: true });
}

export { summary as handleSummary };
