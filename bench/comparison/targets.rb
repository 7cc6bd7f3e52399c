# frozen_string_literal: true

module Comparison
  # What the gem is to achieve: a row of the table at the top of the report. `scenario`: where it is measured; `conditions`:
  # what is looked at; `wanted`: for each door the limit of each condition; `rounds`: how many there are to be at least.
  Target = Struct.new(:name, :scenario, :conditions, :wanted, :rounds, keyword_init: true) do
    def initialize(rounds: 5, **rest)
      super
    end
  end

  # `key`: of a {Figures::Figure}; `text`: around its value; `way`: what becomes of it,
  #   :times_less, :times_more  than through Ruby; at least as wanted
  #   :at_least, :at_most       as it is
  #   :more_than_ruby           the difference, at most as wanted
  #   :times_small              times as much as in scenario registration, through the same door; at most as wanted
  Condition = Struct.new(:key, :way, :text)

  TARGETS = [
    Target.new(name: 'application CPU per registration, times less than Ruby', scenario: 'registration',
               conditions: [Condition.new('cpu', :times_less, '%s')],
               wanted: { 'controller' => [18], 'rack' => [100] }),
    Target.new(name: 'registrations per second, times Ruby', scenario: 'registration',
               conditions: [Condition.new('rate', :times_more, '%s')],
               wanted: { 'controller' => [12], 'rack' => [40] }),
    Target.new(name: 'database CPU per registration, times less', scenario: 'registration',
               conditions: [Condition.new('database_cpu', :times_less, '%s')],
               wanted: { 'controller' => [10], 'rack' => [12] }),
    Target.new(name: 'statements / commits per registration', scenario: 'registration',
               conditions: [Condition.new('statements', :at_most, '%s'), Condition.new('commits', :at_most, '%s')],
               wanted: { 'controller' => [30, 8], 'rack' => [25, 8] }),
    Target.new(name: 'announces per second, times Ruby', scenario: 'announce',
               conditions: [Condition.new('rate', :times_more, '%s')],
               wanted: { 'controller' => [2.5], 'rack' => [15] }),
    Target.new(name: 'p99 at 10 users, times less', scenario: 'registration',
               conditions: [Condition.new('p99', :times_less, '%s')],
               wanted: { 'controller' => [10], 'rack' => [25] }),
    Target.new(name: 'herd of 2,000 within 5 s: all succeed / the last one done, times sooner than Ruby', scenario: 'herd',
               conditions: [Condition.new('succeeded', :at_least, '%s'), Condition.new('last', :times_less, '%s')],
               wanted: { 'controller' => [2000, 10], 'rack' => [2000, 30] }, rounds: 1),
    # Flat: what a registration leaves behind is less than 100 bytes.
    Target.new(name: 'memory of a worker after 100,000 registrations: how many / MiB more than Ruby / MiB that it grew by ' \
                     'per 100,000 in the last half', scenario: 'memory',
               conditions: [Condition.new('succeeded', :at_least, '%s'), Condition.new('worker', :more_than_ruby, '%s'),
                            Condition.new('worker_growth', :at_most, '%s')],
               wanted: { 'controller' => [100_000, 30, 10], 'rack' => [100_000, 30, 10] }, rounds: 1),
    Target.new(name: 'large catalog against small, cost per registration: CPU of the application / of the database',
               scenario: 'large',
               conditions: [Condition.new('cpu', :times_small, '%s ×'), Condition.new('database_cpu', :times_small, '%s ×')],
               wanted: { 'controller' => [1.2, 1.2], 'rack' => [1.2, 1.2] })
  ].each(&:freeze).freeze
end
