# frozen_string_literal: true

require 'json'
require_relative '../hostile/inputs'
require_relative '../hostile/wire'
require_relative '../machine'
require_relative '../stage'

module Torture
  # Sends secrets that can be recognised through every operation, with and without success, and looks for them in all logs
  # and in all refusals.
  class Secrets < Trial
    guarantee 'passwords, tokens and registration codes are in no log, and in no answer to anybody else'

    PASSWORD = 'CANARY-database-password'
    REGCODE = 'CANARY-active-code'
    # Those that are sent and not found, by the places where they are sent.
    SENT = { wrong_password: 'CANARY-wrong-password', unknown_code: 'CANARY-unknown-code', expired_code: 'CANARY-expired-code',
             inactive_code: 'CANARY-inactive-code', token: 'CANARY-system-token', in_json: 'CANARY-broken-json',
             in_form: 'CANARY-in-form', in_parts: 'CANARY-in-parts', in_query: 'CANARY-in-query' }.freeze
    # How the database is made to answer with values in its messages.
    TRIGGERS = { 'INSERT' => 'NEW.password', 'UPDATE' => "CONCAT(NEW.password, ' ', COALESCE(NEW.system_token, ''))" }.freeze
    private_constant :PASSWORD, :REGCODE, :SENT, :TRIGGERS

    # @param report [Report]
    # @return [void]
    def run(report)
      @report = report
      @requests = 0
      @secrets = [PASSWORD, REGCODE, Catalog::REGCODES.first, *SENT.values]
      Stage.open('secrets') do |stage|
        @stage = stage
        prepare
        %w[rack controller].each { |door| behind(door) }
      end
      report.figure('requests', @requests)
      report.figure('secrets looked for', @secrets.uniq.size)
      report.figure('lines of logs', @lines)
    end

    private

    def sql(*statements)
      @stage.database.with_client { |client| statements.map { |statement| client.query(statement) }.last }
    end

    # An account whose password is a secret, and registration codes of each kind.
    def prepare
      sql("CREATE OR REPLACE USER 'canary'@'%' IDENTIFIED BY '#{PASSWORD}'", "GRANT ALL ON *.* TO 'canary'@'%'")
      codes = { REGCODE => %w[ACTIVE 2099-01-01], SENT[:expired_code] => %w[EXPIRED 2020-01-01],
                SENT[:inactive_code] => %w[NOTACTIVATED 2099-01-01] }
      codes.each_with_index do |(code, (status, expires)), number|
        sql('INSERT INTO subscriptions (id, regcode, name, kind, status, expires_at, system_limit, systems_count, created_at, ' \
            "updated_at) VALUES (#{9000 + number}, '#{code}', 'Canary', 'full', '#{status}', '#{expires}', 1, 0, NOW(), NOW())")
      end
    end

    def behind(door)
      %w[debug info].each do |level|
        log = File.join(Stage::DIRECTORY, "secrets-#{door}-#{level}.log")
        url = @stage.database.url.sub(%r{//.*@}, "//canary:#{PASSWORD}@")
        host = Host.new(database_url: url, door: door, workers: 1, log: log, env: { 'RAILS_LOG_LEVEL' => level }).start
        go_through(host, level)
        host.stop
        look_through(door, level, log)
      ensure
        host&.stop
      end
    end

    # What is left to RMT's own code is tried at the level of production only: at debug ActiveRecord prints its statements.
    def go_through(host, level)
      @wire = Wire.new(host.port)
      machine = Machine.new(host.url, 'canary', @stage.bases.first).register
      @machine = machine
      @secrets.push(machine.password, *machine.tokens)
      @inputs = Inputs.new(machine.login, machine.password, 1 << 20)
      succeed
      fail_to_authenticate
      fail_to_pay
      be_left_to_ruby if level == 'info'
      be_stored_badly
      ask('DELETE', '/connect/systems')
      be_without_database
    end

    def ask(method, path, body = '', headers = {})
      answer = @wire.exchange(@inputs.request([method, path], body, headers))
      @requests += 1
      @secrets << answer['System-Token'] if answer['System-Token'].to_s.length > 8
      shown = @secrets.find { |secret| answer.body.include?(secret) } if answer.status.nil? || answer.status >= 400
      @report.violation("#{method} #{path}: #{answer.status} shows #{shown}") if shown
      answer
    end

    def products(**others)
      JSON.generate(@machine.products.first.slice(:identifier, :version, :arch).merge(others))
    end

    def succeed
      product = products(token: REGCODE)
      requests = [
        ['GET', '/connect/systems/activations', ''], ['POST', '/connect/systems/products', product],
        ['PUT', '/connect/systems/products', product], ['GET', '/connect/systems/products', product], ['GET', '/services/1', ''],
        ['PUT', '/connect/systems', '{"hostname":"canary"}'], ['GET', '/connect/repositories/installer', ''],
        ['POST', '/connect/systems/products/synchronize', JSON.generate(products: [JSON.parse(products)])]
      ]
      requests.each_with_index do |request, number|
        [{}, { 'System-Token' => @machine.token }, { 'System-Token' => "#{SENT[:token]}-#{number}" }].each do |headers|
          ask(*request, headers)
        end
      end
      ask('GET', '/connect/subscriptions/products', '', 'Authorization' => "Token token=#{REGCODE}")
    end

    def fail_to_authenticate
      basic = ->(text) { "Basic #{[text].pack('m0')}" }
      wrong = SENT[:wrong_password]
      ["#{@machine.login}:#{wrong}", "#{@machine.login}:#{wrong}\xFF", "#{wrong}:", wrong,
       "#{@machine.login}:#{wrong}\0"].each do |text|
        Inputs::OPERATIONS.each { |operation| ask(*operation, '', 'Authorization' => basic.call(text)) }
      end
      ask('GET', '/services/1', '', 'Authorization' => basic.call("a:#{wrong}"), 'User-Agent' => 'zypp 1')
      SENT.values_at(:unknown_code, :inactive_code, :expired_code).each do |code|
        ["Token token=#{code}", "Token token=\"#{code}\"", "Token #{code}", "Bearer #{code}"].each do |header|
          ask('GET', '/connect/subscriptions/products', '', 'Authorization' => header)
        end
      end
    end

    def fail_to_pay
      SENT.values_at(:unknown_code, :inactive_code, :expired_code).each do |code|
        [code, [code], { a: code }, [code] * 30].each do |token|
          %w[POST PUT].each { |method| ask(method, '/connect/systems/products', products(token: token)) }
        end
      end
      ask('GET', "/connect/systems/products?token=#{SENT[:in_query]}&regcode=#{SENT[:in_query]}")
    end

    # RMT's own code answers, once Rust has declined, or Rails before it.
    def be_left_to_ruby
      ask('POST', '/connect/systems/products', %({"token":"#{SENT[:in_json]}","password":"#{SENT[:in_json]}",))
      form = "identifier=SLES&version=15.6&arch=x86_64&token=#{SENT[:in_form]}&password=#{SENT[:in_form]}"
      ask('POST', '/connect/systems/products', form, 'Content-Type' => 'application/x-www-form-urlencoded')
      parts = "--x\r\nContent-Disposition: form-data; name=\"token\"\r\n\r\n#{SENT[:in_parts]}\r\n--x--\r\n"
      ask('POST', '/connect/systems/products', parts, 'Content-Type' => 'multipart/form-data; boundary=x')
      ask('POST', '/connect/subscriptions/systems', JSON.generate(hostname: [1], token: SENT[:in_form]))
      ask('PUT', '/connect/systems', JSON.generate(hostname: { a: 1 }, password: SENT[:in_form]))
    end

    # Values that do not fit, are there already, or are said aloud by the database.
    def be_stored_badly
      ["#{SENT[:token]}#{'x' * 300}", "#{SENT[:token]}\u{1F600}", @machine.token.upcase].each do |token|
        ask('GET', '/connect/systems/activations', '', 'System-Token' => token)
      end
      TRIGGERS.each do |event, what|
        sql("CREATE TRIGGER canary BEFORE #{event} ON systems FOR EACH ROW BEGIN DECLARE said TEXT DEFAULT #{what}; " \
            "SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = said; END")
        Inputs::OPERATIONS.product([@machine.token, SENT[:token]]).each do |operation, token|
          ask(*operation, operation.first == 'GET' ? '' : products, 'System-Token' => token)
        end
      ensure
        sql('DROP TRIGGER IF EXISTS canary')
      end
    end

    def be_without_database
      sql("ALTER USER 'canary'@'%' ACCOUNT LOCK")
      ids = sql("SELECT id FROM information_schema.processlist WHERE user = 'canary'").map { |row| row.values.first }
      ids.each { |id| sql("KILL #{id}") }
      Inputs::OPERATIONS.each { |operation| ask(*operation, operation.first == 'GET' ? '' : products(token: REGCODE)) }
    ensure
      sql("ALTER USER 'canary'@'%' ACCOUNT UNLOCK")
    end

    def look_through(door, level, log)
      lines = File.binread(log).split("\n")
      @lines = @lines.to_i + lines.size
      @secrets.uniq.each do |secret|
        line = lines.find { |it| it.include?(secret.b) }
        @report.violation("#{door} door, level #{level}: #{secret} in #{line[0, 400].scrub}") if line
      end
      @report.say("#{door} door, level #{level}: #{lines.size} lines of log")
    end
  end
end
