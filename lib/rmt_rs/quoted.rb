# frozen_string_literal: true

module RmtRs
  # What quotes a client in a line of the log.
  module Quoted
    # @param text [String, nil]
    # @return [String] without control characters, which would end the line, or make a terminal do things
    # @example
    #   Quoted.on_one_line("web01\nSystem 'x' announced") # => "web01?System 'x' announced"
    def self.on_one_line(text)
      text.to_s.scrub('?').gsub(/[[:cntrl:]]/, '?')
    end
  end
end
