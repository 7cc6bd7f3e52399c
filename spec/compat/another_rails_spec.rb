# frozen_string_literal: true

require_relative '../spec_helper'
require 'json'
require 'net/http'
require 'rails/version'

# Where Rails has other rules than the core follows, as in the trees of `rake compat`.
RSpec.describe 'With another Rails than 6.1', if: !Rails::VERSION::STRING.start_with?('6.1.') do
  # Announces to a host app.
  #
  # @return [Array(String, String, Array)] status, the log, and the row that is there then
  def announce(door, parameters)
    database = SuiteDatabase.fresh("another_rails_#{door}")
    host = Host.new(database_url: database.url, door: door).start
    answer = Net::HTTP.post(URI("#{host.url}/connect/subscriptions/systems"), JSON.generate(parameters),
                            'Content-Type' => 'application/json')
    row = database.with_client { |sql| sql.query('SELECT hostname, system_information FROM systems').first.values }
    [answer.code, File.read(host.log), row]
  ensure
    host&.stop
  end

  it 'the rack door stays shut, says why, and the controller door answers' do
    status, log, row = announce('rack', { hostname: 'elsewhere' })
    expect(status).to eq('201')
    expect(log).to match(/rack door answers nothing; why not more: Rails #{Rails::VERSION::STRING} may have other rules than 6.1/)
    expect(log).to match(/rack door, in Rust: announce/)
    expect(log).not_to include('left to Ruby')
    expect(row.first).to eq('elsewhere')
  end

  it 'arrays within arrays are stored as that Rails stores them' do
    parameters = { hostname: 'nested', hwinfo: { 'a' => [1, 2], 'b' => [[1], 2], 'c' => { 'd' => [[]] } } }
    ruby, rust = %w[off controller].map { |door| announce(door, parameters) }
    expect(rust.values_at(0, 2)).to eq(ruby.values_at(0, 2))
    kept = rust.last.last.include?('[[1],2]')
    expect(rust[1].include?('announce left to Ruby: an array within an array')).to be(kept)
  end
end
