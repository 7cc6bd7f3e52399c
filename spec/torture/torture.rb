# frozen_string_literal: true

# As Rails does: what is read and printed is UTF-8, whatever the machine's locale.
Encoding.default_external = Encoding::UTF_8

require_relative 'report'
require_relative 'scale'
require_relative 'summary'
require_relative 'trial'

# Tries what docs/reliability.md promises, on real servers: `rake torture` in full, `bin/test` in small.
#
# A trial is a class in trials/NAME.rb: see {Torture::Trial}.
#
# @example
#   Torture.command(%w[kills]) # => 0, after a while
module Torture
  # Where trials keep what they need and leave what they found.
  DIRECTORY = File.expand_path('../../tmp/torture', __dir__)

  module_function

  # @return [Hash{String => Class}] all trials by their names, which are those of their files
  def trials
    @trials ||= Dir[File.join(__dir__, 'trials/*.rb')].to_h do |file|
      require file
      name = File.basename(file, '.rb')
      [name, const_get(name.split('_').map(&:capitalize).join)]
    end
  end

  # What `rake torture` does. The summary is printed and written to `tmp/torture/summary.md`.
  #
  # @param names [Array<String>] trials; all when empty
  # @param scale [Scale]
  # @param out [IO]
  # @return [Integer] exit status: 0, 1 when a promise was broken or a trial could not be run, 2 when there is no such trial
  def command(names, scale: Scale.full, out: $stdout)
    unknown = names - trials.keys
    if unknown.any?
      warn "torture: there is no #{unknown.join(', ')}; choose among #{trials.keys.join(', ')}"
      return 2
    end
    chosen = names.empty? ? trials : trials.slice(*names)
    reports = chosen.map { |name, trial| run(name, trial, scale, out) }
    Summary.new(reports).write(out, File.join(DIRECTORY, 'summary.md'))
    reports.all?(&:kept?) ? 0 : 1
  end

  # @param name [String]
  # @param trial [Class] one of {trials}
  # @param scale [Scale]
  # @param out [IO] what it does and how far it is goes there
  # @return [Report]
  def run(name, trial, scale, out)
    report = Report.new(name, trial.guarantee, out)
    report.say(trial.guarantee)
    report.taking_time { trial.new(scale).run(report) }
    report
  rescue StandardError, ScriptError => e
    report.failure(e)
    report
  end
end
