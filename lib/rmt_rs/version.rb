# frozen_string_literal: true

module RmtRs
  # The version of the gem and of both crates.
  VERSION = '0.1.0'
end
