# frozen_string_literal: true

require_relative 'shadow/comparison'
require_relative 'shadow/ledger'
require_relative 'shadow/summary'

module RmtRs
  # Of a percentage of requests Rust works out what it would answer and store, in a transaction that is rolled back; then
  # Ruby answers. Both are compared, and what differs is logged and counted, with secrets masked.
  #
  # It compares what the rack door would answer whole. A request that goes on to Rails from there anyway is not rehearsed.
  class Shadow
    # @param door [Doors::Rack::Door] which understands requests
    # @param ledger [Ledger]
    # @param random [#rand] chooses
    def initialize(door, ledger:, random: Random)
      @door = door
      @ledger = ledger
      @random = random
    end

    # @param percentage [Numeric] of all requests
    # @return [Boolean] whether this one is to be compared
    def chosen?(percentage)
      percentage.positive? && @random.rand(100.0) < percentage
    end

    # Has a request answered by Ruby, and compares.
    #
    # @param env [Hash] Rack's
    # @yieldreturn [Array] Rack's answer, by Ruby
    # @return [Array] the same
    def around(env)
      rehearsal = rehearse(env)
      # Whatever the flag says of it: it was chosen for this.
      env[Flag::DECIDED] = false
      answer = yield
      return answer unless rehearsal

      status, headers, body = answer
      seen = Seen.new(status, headers, read(body))
      crashed?(rehearsal, seen) || compare(rehearsal, seen, env)
      [status, headers, [seen.body]]
    end

    private

    # What was rehearsed of which operation.
    Rehearsed = Struct.new(:operation, :seen, :rows, :login, :scc_system_ids)
    # An answer.
    Seen = Struct.new(:status, :headers, :body)
    private_constant :Rehearsed, :Seen

    # @return [Rehearsed, nil]
    def rehearse(env)
      understood = @door.understand(env)
      return skip(:rack, understood) if understood.is_a?(String)

      operation = understood.operation
      answer, login, ids, rows = @door.rehearse(understood)
      return skip(operation, answer) if answer.is_a?(String)

      Rehearsed.new(operation, Seen.new(*answer.first(3)), rows, login, ids)
    rescue Error => e
      skip(operation || :rack, e.class.name)
    end

    def skip(operation, why)
      @ledger.skipped(operation, why)
      nil
    end

    def read(body)
      text = +''
      body.each { |part| text << part }
      text
    ensure
      body.close if body.respond_to?(:close)
    end

    # RMT crashes on input that Rust has an answer for, and with what it had stored until then.
    def crashed?(rehearsed, seen)
      return false if seen.status < 500

      skip(rehearsed.operation, "Ruby #{seen.status}, Rust #{rehearsed.seen.status}")
      true
    end

    # Whatever goes wrong here is no trouble of the client's.
    def compare(rehearsed, seen, env)
      comparison = Comparison.new(rehearsed.seen, seen, sent_token: env['HTTP_SYSTEM_TOKEN'])
      comparison.rows(rehearsed.rows, rows_now(rehearsed, seen)) if rehearsed.rows
      differences = comparison.differences
      @ledger.compared(rehearsed.operation, differences)
      return if differences.empty?

      RmtRs.logger&.warn("rmt_rs: shadow: #{rehearsed.operation} differs: #{Quoted.on_one_line(differences.join('; '))}")
    rescue StandardError => e
      RmtRs.logger&.error("rmt_rs: shadow: #{rehearsed.operation} could not be compared: #{e.class}")
      skip(rehearsed.operation, e.class.name)
    end

    # Ruby has given a new system another login.
    def rows_now(rehearsed, seen)
      login = rehearsed.operation == 'announce' ? JSON.parse(seen.body)['login'] : rehearsed.login
      login ? Native.rows(login, rehearsed.scc_system_ids) : '{}'
    rescue JSON::ParserError
      '{}'
    end
  end
end
