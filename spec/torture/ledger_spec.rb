# frozen_string_literal: true

require_relative '../../bench/catalog'
require_relative 'ledger'
require_relative 'machine'

# That a ledger sees what may go wrong: here somebody makes it wrong.
RSpec.describe Torture::Ledger do
  before(:context) do
    @database = SuiteDatabase.fresh('ledger')
    catalog = Catalog.new('realistic')
    catalog.load(@database)
    @base = catalog.bases.first
    @host = Host.new(database_url: @database.url, door: 'rack', workers: 1).start
    described_class.new(@database).open
  end

  after(:context) { @host&.stop }

  before do
    # Machines of other examples are none of this one's.
    execute('SET FOREIGN_KEY_CHECKS = 0', *%w[system_profiles system_uptimes activations systems profiles torture_tokens]
      .map { |table| "DELETE FROM #{table}" })
  end

  let(:ledger) { described_class.new(@database) }
  let(:machine) { ledger.add(machine_named('web01')) }

  def machine_named(name)
    Torture::Machine.new(@host.url, name, @base, profiles: { 'pci_data' => { identifier: 'aaaa', data: 'Slot 00' } })
  end

  def execute(*statements)
    @database.with_client { |sql| statements.each { |statement| sql.query(statement) } }
  end

  # A request that is stored, and whose answer is lost.
  def lose_answer_of(machine, operation, subject)
    machine.instance_variable_set(:@doubt, [operation, subject])
  end

  it 'finds nothing wrong with machines that registered, changed and left' do
    machine.register.update
    machine.destroy(machine.products.last)
    ledger.add(machine_named('web02')).register.deregister
    expect(ledger.violations).to eq([])
    expect(machine.tokens.size).to be >= 6
    expect(ledger.figures).to include('systems acknowledged' => 2, 'activations acknowledged' => 7, 'left' => 1)
  end

  {
    'a system that is gone' => ['DELETE FROM system_profiles', 'DELETE FROM activations', 'DELETE FROM system_uptimes',
                                'DELETE FROM systems', /web01 .*: lost/],
    'a system that is there twice' =>
      ["INSERT INTO systems (login, password, hostname, created_at, updated_at) VALUES ('x', 'y', 'web01', NOW(), NOW())",
       /web01 .*: stored 2 times/],
    'a copy of it' =>
      ['INSERT INTO systems (login, password, hostname, created_at, updated_at) ' \
       "SELECT login, password, 'other', NOW(), NOW() FROM systems", /a system other that nobody announced/],
    'other credentials' => ["UPDATE systems SET password = 'x'", /other credentials/],
    'an activation that is gone' => ['DELETE FROM activations LIMIT 1', /activations lost: \[\d+\]/],
    'an activation too many' =>
      ['INSERT INTO activations (system_id, service_id, created_at, updated_at) ' \
       'SELECT id, 440, NOW(), NOW() FROM systems', /activations too many: \[440\]/],
    'a token that nobody was told' => ["UPDATE systems SET system_token = 'third'", /was told .*, then given \["third"\]/],
    'a profile that is not linked' => ['DELETE FROM system_profiles', /profiles 0 of 1/, /profiles that no system has: 1/],
    'something else that it is said to have said' =>
      [%q(UPDATE systems SET system_information = '{"revision":0}'), /it said \[1\] of itself, stored is 0/],
    'links without a profile' => ['SET FOREIGN_KEY_CHECKS = 0', 'DELETE FROM profiles', /links of profiles without both ends: 1/]
  }.each do |wrong, (*statements, expected)|
    it "finds #{wrong}" do
      machine.register
      also = statements.grep(Regexp)
      execute(*(statements - also))
      expect(ledger.violations).to include(match(expected), *also.map { |text| match(text) })
    end
  end

  it 'finds a system that is still there' do
    machine.register
    allow(machine).to receive(:left).and_return(true)
    expect(ledger.violations).to contain_exactly(match(/there, though it has left/))
  end

  describe 'when a machine has no answer to its last request' do
    before { machine.announce }

    it 'takes all of what was asked for, or nothing' do
      machine.activate(machine.products.first)
      lose_answer_of(machine, :activate, machine.products[1][:service])
      expect(ledger.violations).to eq([])
      machine.dup.activate(machine.products[1])
      expect(ledger.violations).to eq([])
    end

    it 'finds half of it' do
      machine.activate(machine.products.first)
      lose_answer_of(machine, :activate, machine.products[1][:service])
      execute("UPDATE systems SET system_token = 'next'")
      expect(ledger.violations).to contain_exactly(match(/half of its last request was done: token changed/))
    end

    it 'finds a token that was changed twice' do
      lose_answer_of(machine, :update, 1)
      execute("UPDATE systems SET system_token = 'one', system_information = '{\"revision\":1}'",
              "UPDATE systems SET system_token = 'two'")
      expect(ledger.violations).to contain_exactly(match(/then given \["one", "two"\]/))
    end
  end
end
