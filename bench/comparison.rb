# frozen_string_literal: true

require_relative 'comparison/plan'
require_relative 'comparison/run'

# Compares RMT's registration path through the doors of rmt_rs, `off` among them, with k6: see
# docs/benchmarks/README.md.
module Comparison
  # What `rake bench` does.
  #
  # @param scenarios [Array<String>]
  # @param environment [Hash{String => String}]
  # @yield after the checks, before anything is started
  # @return [Integer] exit status: 0, 2 when refused, 1 when it failed
  def self.command(scenarios, environment: ENV.to_h)
    plan = Plan.new(scenarios, environment).check!
    yield if block_given?
    Run.new(plan).call
    0
  rescue Refused => e
    warn "bench: #{e.message}"
    2
  rescue *Run::ERRORS => e
    warn "bench: #{e.message}"
    1
  end
end
