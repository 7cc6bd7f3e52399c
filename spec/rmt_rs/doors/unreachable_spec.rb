# frozen_string_literal: true

require_relative '../../support/faulty_way'

# Ruby's connections lead to the database directly, Rust's by a way of their own: who has answered can be told.
RSpec.describe 'A database that Rust does not reach' do
  %w[rack controller].each do |door|
    describe "behind the #{door} door" do
      before do
        mariadb = SuiteDatabase.mariadb
        @way = FaultyWay.new(mariadb.port, Random.new(1), every: 1).tap(&:mend).start
        @database = SuiteDatabase.fresh("unreachable_#{door}")
        @host = Host.new(database_url: mariadb.url("unreachable_#{door}"), door: door, workers: 0,
                         env: { 'RMT_RS_HOST' => '127.0.0.1', 'RMT_RS_PORT' => @way.port.to_s })
      end

      after do
        @host&.stop
        @way&.stop
      end

      # Nobody listens there any more, and whoever is connected is cut off.
      def cut
        @way.stop
        @database.with_client do |sql|
          theirs = 'SELECT ID FROM information_schema.PROCESSLIST WHERE DB = DATABASE() AND ID <> CONNECTION_ID()'
          sql.query(theirs).each { |row| sql.query("KILL #{row['ID']}") }
        end
      end

      def hostnames
        @database.with_client { |sql| sql.query('SELECT hostname FROM systems').map { |row| row['hostname'] } }
      end

      it 'is not asked by Ruby instead when Rust has reached it before' do
        @host.start
        expect(@host.announce('before').code).to eq('201')
        cut
        # What is sent on a connection that is lost may have been carried out.
        @host.announce('lost')
        expect(Array.new(8) { |n| @host.announce("web#{n}") }).to all(be_refused_with(503, Refusals::UNAVAILABLE))
        expect(hostnames).to eq(%w[before])
        expect(File.read(@host.log)).not_to match(/left to R|Ruby answers it for now/)
      end

      it 'is asked by Ruby when Rust has never reached it' do
        @way.stop
        @host.start
        expect(@host.announce('web').code).to eq('201')
        expect(hostnames).to eq(%w[web])
        expect(File.read(@host.log)).to match(/announce left to R\w+: no database connection: .*Connection refused/)
      end
    end
  end
end
