# frozen_string_literal: true

# Made-up conversations against a real RMT, without and with the Rust core:
#
#   ruby spec/property/run.rb --rmt /srv/rmt
#
# or against a server that is running, and the contract:
#
#   ruby spec/property/run.rb --url http://127.0.0.1:4224 --database mysql://rmt:rmt@127.0.0.1/rmt

Encoding.default_external = Encoding::UTF_8

require_relative 'command'

exit(Property::Command.new(ARGV).run)
