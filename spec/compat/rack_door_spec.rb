# frozen_string_literal: true

require_relative '../spec_helper'
require 'json'
require 'net/http'
require 'rails/version'

# Where Rails has other rules than the rack door follows, as in the trees of `rake compat`.
RSpec.describe 'The rack door with another Rails', if: !Rails::VERSION::STRING.start_with?('6.1.') do
  it 'stays shut, says why, and the controller door answers' do
    database = SuiteDatabase.fresh('rack_elsewhere')
    host = Host.new(database_url: database.url, door: 'rack').start
    answer = Net::HTTP.post(URI("#{host.url}/connect/subscriptions/systems"), { hostname: 'elsewhere' }.to_json,
                            'Content-Type' => 'application/json')
    expect(answer.code).to eq('201')
    log = File.read(host.log)
    expect(log).to match(/rack door answers nothing; why not more: Rails #{Rails::VERSION::STRING} may have other rules than 6.1/)
    expect(log).to match(/rack door, in Rust: announce/)
    expect(database.with_client { |sql| sql.query('SELECT hostname FROM systems').map(&:values) }).to eq([['elsewhere']])
  ensure
    host&.stop
  end
end
