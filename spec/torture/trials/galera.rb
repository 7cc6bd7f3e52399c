# frozen_string_literal: true

require_relative '../balancer'
require_relative '../visitors'
require_relative '../../../bench/catalog'
require_relative '../../support/galera_cluster'
require_relative '../../support/host'

module Torture
  # Three nodes with a host before each, and one host whose connections go to the next node when theirs is gone; nodes are
  # killed and join again, machines go from node to node, and several nodes are asked for the same thing at once.
  class Galera < Trial
    guarantee 'a Galera cluster: nodes killed and rejoined, conflicts between nodes: nothing lost or doubled, all nodes alike'
    # A cluster takes its time to start, and packages that nothing else needs.
    full_only

    NAME = 'rmt_galera'
    DOORS = %w[controller rack rack].freeze
    PATIENCE = 180
    TABLES = (Ledger::TABLES + %w[torture_tokens]).freeze
    # Nodes give out ids of their own, so that these do not say in which order tokens came; the time does.
    AUDIT = 'CREATE OR REPLACE TRIGGER torture_token_changes AFTER UPDATE ON systems FOR EACH ROW BEGIN ' \
            'IF NOT (NEW.system_token <=> OLD.system_token) THEN INSERT INTO torture_tokens (id, system_id, token) VALUES ' \
            '(ROUND(UNIX_TIMESTAMP(NOW(6)) * 1000000) * 1000 + NEW.id % 1000, NEW.id, NEW.system_token); END IF; END'

    # @param report [Report]
    # @return [void]
    def run(report)
      @report = report
      @cluster = GaleraCluster.new(File.join(DIRECTORY, 'galera'))
      raise 'no Galera: apt-get install galera-4 rsync, or let apt-get download them' unless @cluster.available?

      @cluster.start
      prepare
      with_hosts { kill_nodes }
      each_node { |sql| sql.query('SET GLOBAL wsrep_sync_wait = 7') }
      with_hosts do
        roam
        conflict
      end
      judge
    ensure
      @cluster&.stop
    end

    private

    def prepare
      @database = @cluster.nodes.first.database(NAME)
      @database.create.load_sql(File.join(Host::APP, 'db/structure.sql')).install_triggers
      @catalog = Catalog.new('realistic')
      @catalog.load(@database)
      @ledger = Ledger.new(@database).open
      @database.with_client { |sql| sql.query(AUDIT) }
      @report.say("#{@cluster.nodes.size} nodes, wsrep_sync_wait = 0")
    end

    def with_hosts
      @balancer = Balancer.new(@cluster.nodes.map(&:port))
      @hosts = databases.each_with_index.to_h do |(way, url), number|
        [way, Host.new(database_url: url, door: DOORS[number % DOORS.size], workers: 1,
                       log: File.join(DIRECTORY, "galera-#{way}.log"))]
      end
      @hosts.values.map { |host| Thread.new { host.start } }.each(&:join)
      yield
    ensure
      @hosts&.each_value(&:stop)
      @balancer&.close
    end

    # @return [Hash{String => String}] URLs of the database, by the ways there
    def databases
      nodes = @cluster.nodes.each_with_index.to_h { |node, number| ["node#{number}", node.url(NAME)] }
      nodes.merge('balanced' => nodes['node0'].sub(%r{:\d+/}, ":#{@balancer.port}/"))
    end

    def visitors(ways, name)
      visitors = Visitors.new(@ledger, ways, @catalog.bases, name: name).start
      yield visitors
    ensure
      visitors.stop
      visitors.oddities.each { |oddity| @report.violation("#{name}: #{oddity}") }
      { requests: visitors.count(:requests), registrations: visitors.completed, refused: visitors.count(503) }
        .each { |what, number| @report.figure("#{what} #{name}", number) }
    end

    # With each second one its data is lost, too, and it is given all of another node's.
    def kill_nodes
      kills = scale.of('KILLS', small: 1, full: 6)
      visitors(@hosts.transform_values { |host| [host.url] }, 'with kills') do |visitors|
        kills.times do |number|
          visitors.complete(5, seconds: PATIENCE) || @report.violation("kill #{number}: not all hosts serve before it")
          kill(number, visitors)
        end
        visitors.complete(5, seconds: PATIENCE) || @report.violation('not all hosts serve after the last kill')
      end
      @report.figure('nodes killed and rejoined', kills)
    end

    def kill(number, visitors)
      victim = number % @cluster.nodes.size
      @cluster.kill(victim)
      begun = now
      others = @hosts.keys - ["node#{victim}"]
      others.each { |way| Processes.wait_until(PATIENCE, pause: 0.1) { visitors.register(way) } || lost(way, victim) }
      served = now - begun
      @cluster.rejoin(victim, empty: number.odd?)
      @report.say(format('node %d killed: the others serve after %.1f s, it has joined again after %.1f s', victim, served,
                         now - begun))
    end

    def lost(way, victim)
      @report.violation("#{way} does not serve without node #{victim}")
    end

    # A machine's requests go to any of the nodes.
    def roam
      visitors({ 'any' => urls }, 'from node to node') do |visitors|
        visitors.complete(scale.of('ROAMING', small: 10, full: 300), seconds: 600) || @report.violation('roaming did not end')
        @report.violation('a machine was refused in a healthy cluster') if visitors.count(503).positive?
      end
    end

    # A machine that goes to several nodes at once.
    class Guest < Machine
      # @param url [String]
      # @return [Guest] the same system, at another host
      def at(url)
        dup.tap { |guest| guest.instance_variable_set(:@uri, URI(url)) }
      end
    end

    # Machines with the same new profiles announce themselves at all nodes at once, then one activates the same product
    # at all of them at once.
    def conflict
      before = conflicts
      rounds = scale.of('CONFLICTS', small: 5, full: 100)
      rounds.times { |round| meet(round) }
      @report.figure('meetings on three nodes', rounds)
      @report.figure('conflicts between nodes', conflicts - before)
      @report.violation('nodes have never met') if conflicts == before
    end

    def meet(round)
      profiles = { 'pci_data' => { identifier: "meeting-#{round}", data: 'new to all' } }
      # Without tokens, as older clients: who sends an old one is another system.
      guests = urls.map do |url|
        @ledger.add(Guest.new(url, "meeting-#{round}-#{url[/\d+\z/]}", base, profiles: profiles, sends_token: false))
      end
      at_once(guests, &:announce)
      guests.first.products.first(2).each do |product|
        at_once(urls.map { |url| guests.first.at(url) }) { |guest| guest.activate(product) }
        guests.first.activate(product)
      end
    rescue Machine::Failed => e
      @report.violation("meeting #{round}: #{e.message}")
    end

    def at_once(guests)
      guests.map { |guest| Thread.new { yield guest }.tap { |thread| thread.report_on_exception = false } }.each(&:value)
    end

    # Of three nodes.
    def urls
      @hosts.values.first(@cluster.nodes.size).map(&:url)
    end

    def base
      @catalog.bases.first
    end

    # How often a node had to undo what another one had done as well.
    def conflicts
      %w[local_cert_failures local_bf_aborts].sum { |name| @cluster.status(name).sum(&:to_i) }
    end

    def judge
      wait_until_alike
      (@ledger.violations + differences).each { |violation| @report.violation(violation) }
      @ledger.figures.each { |name, number| @report.figure(name, number) }
    end

    def wait_until_alike
      Processes.wait_until(PATIENCE) { @cluster.status('last_committed').uniq.one? } || @report.violation('nodes fall behind')
    end

    def differences
      sums = each_node { |sql| sql.query("CHECKSUM TABLE #{TABLES.join(', ')}").to_h(&:values) }
      different = TABLES.reject { |table| sums.map { |sum| sum.fetch("#{NAME}.#{table}") }.uniq.one? }
      different.map { |table| "#{table} differs between nodes" }
    end

    def each_node
      @cluster.nodes.map do |node|
        sql = node.client(NAME)
        yield sql
      ensure
        sql&.close
      end
    end

    def now
      Process.clock_gettime(Process::CLOCK_MONOTONIC)
    end
  end
end
