# frozen_string_literal: true

require 'open3'
require_relative '../../support/host'

module Torture
  # The core's own matrix of faults (`ext/registration/tests/faults.rs`), all of it.
  class Faults < Trial
    guarantee 'a fault before, during or after any statement of any operation has one result or a clean error'
    full_only

    # @param report [Report]
    # @return [void]
    def run(report)
      command = %w[cargo test --locked -p registration --test faults -- --nocapture]
      Open3.popen2e({ 'FAULTS' => 'all', 'RUST_BACKTRACE' => '0' }, *command, chdir: Host::PROJECT) do |input, output, process|
        input.close
        output.each_line(chomp: true) { |line| read(line, report) }
        report.violation('the matrix has failed: what it printed says where') unless process.value.success?
      end
    end

    private

    def read(line, report)
      report.say(line)
      return unless line.start_with?('faults: ')

      line.delete_prefix('faults: ').scan(/(\d+) ([a-z ]+)/) { |count, name| report.figure(name.strip, count.to_i) }
    end
  end
end
