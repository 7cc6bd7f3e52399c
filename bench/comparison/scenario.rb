# frozen_string_literal: true

module Comparison
  # What can be measured. `unit`: what is done again and again, in the singular; `about`: for the report; `settings`:
  # names of the environment variables that its script knows; `warm_up`: script and environment of what is done before;
  # `variants`: how passwords are stored (RMT_RS_CREDENTIALS) in further trials of each door.
  # Where it is not its own: `script`, what that is told besides (`environment`), the catalog and the setting that says
  # how many rounds there are.
  Scenario = Struct.new(:name, :unit, :about, :endpoints, :settings, :warm_up, :script, :environment, :catalog, :rounds,
                        :variants, keyword_init: true) do
    def initialize(name:, script: "#{name}.js", environment: {}, rounds: 'ROUNDS', variants: [], **rest)
      super
    end

    # @return [Boolean] whether whole registrations are measured, which the host app's Ruby cannot serve
    def registers?
      unit == 'registration'
    end

    # @return [Boolean] whether a constant number of users goes on as soon as it has an answer
    def constant?
      script == 'steady.js'
    end
  end

  # How often is asked before what is measured.
  SMALL_WARM_UP = 300
  # What SUSEConnect asks for, and zypper after it.
  REGISTRATION = %w[announce activate show activate-module update].freeze
  XML = %w[service-unauthenticated service].freeze
  WITHOUT_XML = { 'XML' => 'no' }.freeze
  WARM_UP = ['steady.js', { 'USERS' => 4 }].freeze
  # What takes one round of minutes rather than many of seconds has a setting of its own for their number.
  SCENARIOS = [
    Scenario.new(name: 'steady', unit: 'registration', endpoints: REGISTRATION + XML, settings: %w[USERS DURATION],
                 warm_up: WARM_UP,
                 about: '%<USERS>d instances at a time register, one registration after the other, for %<DURATION>d s; ' \
                        'zypper then reads the XML of their services.'),
    Scenario.new(name: 'registration', unit: 'registration', endpoints: REGISTRATION, settings: %w[USERS DURATION],
                 warm_up: WARM_UP, script: 'steady.js', environment: WITHOUT_XML,
                 about: '%<USERS>d instances at a time register, one registration after the other, for %<DURATION>d s: the ' \
                        '7 requests of SUSEConnect, without the XML that zypper reads.'),
    Scenario.new(name: 'large', unit: 'registration', endpoints: REGISTRATION, settings: %w[USERS DURATION],
                 warm_up: WARM_UP, script: 'steady.js', environment: WITHOUT_XML, catalog: 'large',
                 about: 'As registration, on the large catalog: %<USERS>d instances at a time, for %<DURATION>d s.'),
    Scenario.new(name: 'credentials', unit: 'registration', endpoints: REGISTRATION + XML, settings: %w[USERS DURATION],
                 warm_up: WARM_UP, script: 'steady.js', variants: %w[argon2id],
                 about: 'As steady, with passwords stored as they are and, +argon2id behind the door, as hashes: %<USERS>d ' \
                        'instances at a time register, one registration after the other, for %<DURATION>d s, and zypper reads ' \
                        'the XML of their services.'),
    Scenario.new(name: 'ramp', unit: 'registration', endpoints: REGISTRATION + XML, warm_up: WARM_UP,
                 settings: %w[RAMP_FROM RAMP_TO RAMP_FACTOR RAMP_STEP RAMP_LIMIT RAMP_USERS],
                 about: 'Registrations, with the XML that zypper reads, arrive at a rate that is raised by the factor ' \
                        '%<RAMP_FACTOR>g every %<RAMP_STEP>g s, until 5 of 100 requests take longer than %<RAMP_LIMIT>d ms, ' \
                        'or 1 of 100 registrations fails.'),
    Scenario.new(name: 'herd', unit: 'registration', endpoints: REGISTRATION, settings: %w[INSTANCES WITHIN], warm_up: WARM_UP,
                 environment: WITHOUT_XML, rounds: 'HERD_ROUNDS',
                 about: '%<INSTANCES>d instances arrive within %<WITHIN>g s and register once, each, with the 7 requests of ' \
                        'SUSEConnect. They wait 60 s for an answer, and do not try again.'),
    Scenario.new(name: 'announce', unit: 'announce', endpoints: %w[announce], settings: %w[USERS DURATION],
                 warm_up: ['announce.js', { 'USERS' => 4 }],
                 about: 'Systems announce themselves, %<USERS>d at a time, for %<DURATION>d s.'),
    Scenario.new(name: 'keepalive', unit: 'update', endpoints: %w[update], settings: %w[FLEET UPDATES USERS],
                 warm_up: ['keepalive.js', { 'UPDATES' => SMALL_WARM_UP, 'USERS' => 4 }],
                 about: '%<UPDATES>d systems of a fleet of %<FLEET>d send their daily update, %<USERS>d at a time: nothing ' \
                        'has changed but the hours they were up.'),
    Scenario.new(name: 'memory', unit: 'registration', endpoints: REGISTRATION, settings: %w[USERS REGISTRATIONS MEMORY_LIMIT],
                 warm_up: WARM_UP, script: 'steady.js', environment: WITHOUT_XML, rounds: 'MEMORY_ROUNDS',
                 about: '%<REGISTRATIONS>d registrations of 7 requests, %<USERS>d at a time; through Ruby, which would take ' \
                        'hours, as many as it does in %<MEMORY_LIMIT>d s.')
  ].to_h { |scenario| [scenario.name, scenario.freeze] }.freeze
end
