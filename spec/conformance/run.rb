# frozen_string_literal: true

# Holds a running server, which may be a real RMT, against the recorded conversations:
#
#   ruby spec/conformance/run.rb --url http://127.0.0.1:4224 --database mysql://rmt:rmt@127.0.0.1/rmt
#
# It empties RMT's tables in that database.

require 'optparse'
require_relative 'runner'

options = { cases: '*' }
parser = OptionParser.new do |flags|
  flags.banner = "Usage: run.rb --url URL --database mysql://user:password@host:port/name [options]\n" \
                 "All content of RMT's tables in that database is lost.\n\n"
  flags.on('--url URL', 'base URL of the server')
  flags.on('--database URL', 'its database')
  flags.on('--cases GLOB', 'names of conversations, as announce-* or pubcloud/*; all of cases/ by default')
  flags.on('--except COLUMNS', Array, 'what is stored in another way: password where passwords are stored as hashes')
  flags.on('--reference', 'the server is the reference: it may crash where it did when it was recorded')
end

begin
  rest = parser.parse(ARGV, into: options)
  missing = %i[url database] - options.keys
  raise OptionParser::MissingArgument, missing.map { |name| "--#{name}" }.join(' and ') if missing.any?
  raise OptionParser::InvalidArgument, rest.join(' ') if rest.any?

  cases = Conformance.cases(options[:cases])
rescue OptionParser::ParseError, ArgumentError => e
  warn(e.message, '', parser)
  exit 2
end

begin
  runner = Conformance::Runner.new(url: options[:url], database: options[:database],
                                   reference: options.key?(:reference), except: options.fetch(:except, [])).prepare
  failed = cases.count do |conversation|
    differences = runner.run(conversation)
    puts "#{differences.empty? ? 'pass' : 'FAIL'} #{conversation.name}"
    differences.each { |difference| puts "  #{difference}" }
    differences.any?
  end
rescue Mysql2::Error, SystemCallError, ArgumentError, URI::InvalidURIError => e
  warn("#{e.message}: is the server running, and are --url and --database right?")
  exit 2
end

puts "#{cases.size - failed} of #{cases.size} conversations pass"
exit(failed.zero? ? 0 : 1)
