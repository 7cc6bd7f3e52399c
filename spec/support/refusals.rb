# frozen_string_literal: true

require 'json'

# How RMT words a refusal.
module Refusals
  # What is said for a database that cannot be used.
  UNAVAILABLE = 'The database is not available at the moment. Please try again later.'

  # @param status [Integer]
  # @param message [String]
  # @return [RSpec::Matchers::BuiltIn::Satisfy] matches a Net::HTTPResponse; a 503 has to say when to come back
  def be_refused_with(status, message)
    satisfy("be #{status} #{message}") do |answer|
      answer.code == status.to_s && answer['Content-Type'] == 'application/json; charset=utf-8' &&
        JSON.parse(answer.body) == { 'type' => 'error', 'error' => message, 'localized_error' => message } &&
        (status != 503 || answer['Retry-After'].to_i.between?(10, 30))
    end
  end
end
