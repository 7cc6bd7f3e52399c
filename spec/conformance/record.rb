# frozen_string_literal: true

# Records the conversations from a running RMT, without the gem:
#
#   ruby spec/conformance/record.rb --url http://127.0.0.1:4224 --database mysql://rmt:rmt@127.0.0.1/rmt
#
# It empties RMT's tables in that database. README.md tells what is written where.

require 'optparse'
require_relative 'recorder'

options = { cases: 'cases/* own/*' }
parser = OptionParser.new do |flags|
  flags.banner = <<~USAGE
    Usage: record.rb --url URL --database mysql://user:password@host:port/name [options]
       or: rake 'conformance:record[URL]' DATABASE=mysql://… [CASES=GLOBS] [OUT=DIR]
    All content of RMT's tables in that database is lost.

  USAGE
  flags.on('--url URL', 'base URL of the RMT')
  flags.on('--database URL', 'its database')
  flags.on('--cases GLOBS', 'names of conversations, separated by spaces; cases/* own/* by default')
  flags.on('--out DIR', 'where all of them are written; by default only own/* is written, in place')
end

begin
  rest = parser.parse(ARGV, into: options)
  missing = %i[url database].select { |name| options[name].to_s.empty? }
  raise OptionParser::MissingArgument, missing.map { |name| "--#{name}" }.join(' and ') if missing.any?
  raise OptionParser::InvalidArgument, rest.join(' ') if rest.any?

  cases = options[:cases].split.flat_map { |pattern| Conformance.cases(pattern) }
  raise OptionParser::InvalidArgument, '--cases names none' if cases.empty?
rescue OptionParser::ParseError, ArgumentError => e
  warn(e.message, '', parser)
  exit 2
end

counts = Hash.new(0)
begin
  recorder = Conformance::Recorder.new(url: options[:url], database: options[:database], out: options[:out])
  cases.each do |conversation|
    state, differences = recorder.record(conversation)
    counts[state] += 1
    unwritten = state == :changed && !recorder.target(conversation)
    counts[:unwritten] += 1 if unwritten
    puts "#{state == :changed ? 'CHANGED' : state} #{conversation.file}#{', not written' if unwritten}"
    differences.each { |difference| puts "  #{difference}" }
  end
rescue Mysql2::Error, SystemCallError, ArgumentError, URI::InvalidURIError => e
  warn("#{e.message}: is the server running, and are the URLs of server and database right?")
  exit 2
end

puts "#{cases.size} conversations: #{counts[:same]} as recorded, #{counts[:changed]} changed, #{counts[:new]} new"
puts 'To have the changed recordings as files, name a directory: --out DIR, or OUT=DIR' if counts[:unwritten].positive?
exit(counts[:unwritten].zero? ? 0 : 1)
