# frozen_string_literal: true

require 'action_controller'
require 'json'

# Requests for the rack door and what Rails makes of their parameters. The core's own tests read the same
# cases: what both have to agree on.
RSpec.describe 'http_cases.json', :rack_door do
  # @param given [Hash] a case
  # @return [ActionDispatch::Request]
  def request_of(given)
    body = given.fetch('body', '')
    env = Rack::MockRequest.env_for('/', method: 'POST', input: body).merge('QUERY_STRING' => given.fetch('query', ''))
    given['content_type'] ? env['CONTENT_TYPE'] = given['content_type'] : env.delete('CONTENT_TYPE')
    ActionDispatch::Request.new(env)
  end

  JSON.parse(File.read(File.join(__dir__, 'http_cases.json'), encoding: 'UTF-8')).each do |given|
    # What the core passes on may be anything to Rails.
    next unless given['parameters']

    it "is right about #{given['why']}" do
      # What is no object has no names; Rails calls it `_json`.
      parameters = request_of(given).parameters.except(:_json)
      expect(JSON.generate(parameters)).to eq(JSON.generate(given['parameters']))
    end
  end
end
