# frozen_string_literal: true

module Comparison
  # What can be measured. `unit`: what is done again and again, in the singular; `about`: for the report; `settings`:
  # names of the environment variables that its script knows; `warm_up`: script and environment of what is done before.
  Scenario = Struct.new(:name, :unit, :about, :endpoints, :settings, :warm_up, keyword_init: true) do
    # @return [String] of bench/k6
    def script
      "#{name}.js"
    end

    # @return [Boolean] whether whole registrations are measured, which the host app's Ruby cannot serve
    def registers?
      unit == 'registration'
    end
  end

  # How often is asked before what is measured.
  SMALL_WARM_UP = 300
  # What a registration asks for, as bench/k6/settings.js has it.
  REGISTRATION = %w[announce activate show activate-module update service-unauthenticated service].freeze
  WARM_UP = ['steady.js', { 'USERS' => 4 }].freeze

  SCENARIOS = [
    Scenario.new(name: 'steady', unit: 'registration', endpoints: REGISTRATION, settings: %w[USERS DURATION], warm_up: WARM_UP,
                 about: '%<USERS>d instances at a time register, one registration after the other, for %<DURATION>d s.'),
    Scenario.new(name: 'ramp', unit: 'registration', endpoints: REGISTRATION, warm_up: WARM_UP,
                 settings: %w[RAMP_FROM RAMP_TO RAMP_FACTOR RAMP_STEP RAMP_LIMIT RAMP_USERS],
                 about: 'Registrations arrive at a rate that is raised by the factor %<RAMP_FACTOR>g every %<RAMP_STEP>g s, ' \
                        'until 5 of 100 requests take longer than %<RAMP_LIMIT>d ms, or 1 of 100 registrations fails.'),
    Scenario.new(name: 'herd', unit: 'registration', endpoints: REGISTRATION, settings: %w[INSTANCES WITHIN], warm_up: WARM_UP,
                 about: '%<INSTANCES>d instances arrive within %<WITHIN>g s and register once, each. They wait 60 s for ' \
                        'an answer, and do not try again.'),
    Scenario.new(name: 'announce', unit: 'announce', endpoints: %w[announce], settings: %w[SYSTEMS USERS],
                 warm_up: ['announce.js', { 'SYSTEMS' => SMALL_WARM_UP, 'USERS' => 4 }],
                 about: '%<SYSTEMS>d systems announce themselves, %<USERS>d at a time.'),
    Scenario.new(name: 'keepalive', unit: 'update', endpoints: %w[update], settings: %w[FLEET UPDATES USERS],
                 warm_up: ['keepalive.js', { 'UPDATES' => SMALL_WARM_UP, 'USERS' => 4 }],
                 about: '%<UPDATES>d systems of a fleet of %<FLEET>d send their daily update, %<USERS>d at a time: nothing ' \
                        'has changed but the hours they were up.')
  ].to_h { |scenario| [scenario.name, scenario.freeze] }.freeze
end
