// Registered systems send their daily update: nothing has changed but the hours they were up. Each
// of them once, for its token changes.
//
//   FLEET    systems that are registered, with the credentials that bench/fleet.rb gives them (1000)
//   UPDATES  how many of them send an update (as many)
//   USERS    how many at a time (10)
import exec from 'k6/execution';
import { Instance, askAs } from './instance.js';
import { ALL_GOOD, number, options as build, summary } from './settings.js';

const fleet = number('FLEET', 1000);
const updates = Math.min(number('UPDATES', fleet), fleet);

export const options = build(
  { executor: 'shared-iterations', iterations: updates, vus: number('USERS', 10), maxDuration: '30m' },
  ['update'],
  ALL_GOOD,
);

const day = (ago) => new Date(Date.now() - ago * 86400000).toISOString().slice(0, 10);
const days = [[day(1), '1'.repeat(24)], [day(0), '1'.repeat(8).padEnd(24, '0')]];

export default function () {
  // From all over the table, and nobody twice.
  const turn = Math.floor((exec.scenario.iterationInTest * fleet) / updates);
  const digits = (length) => String(turn).padStart(length, '0');
  const instance = new Instance(turn, { login: `SCC_${digits(32)}`, password: digits(16) });
  instance.token = instance.uuid;
  askAs(() => instance.update(days));
}

export { summary as handleSummary };
