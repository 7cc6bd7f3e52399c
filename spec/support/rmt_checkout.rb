# frozen_string_literal: true

require 'digest'
require_relative 'host'
require_relative 'shared_use'

# A directory with RMT's source, into which the gem is linked while it is in use here.
#
# @example
#   checkout = RmtCheckout.new('/srv/rmt')
#   checkout.link
#   checkout.migrate(database) { puts 'migrating' }
#   checkout.unlink
class RmtCheckout
  # What went wrong and what mends it.
  class Error < StandardError; end

  PROJECT = Host::PROJECT

  # @return [String]
  attr_reader :directory

  # @param directory [String]
  # @param engines [Hash{String => String}] what RMT is to load besides the gem: name => directory with lib/NAME.rb
  # @raise [Error] when there is no RMT
  def initialize(directory, engines: {})
    @directory = File.expand_path(directory)
    @engines = engines
    @links = []
    return if Host.rmt?(@directory)

    raise Error, "#{directory} is not a checkout of RMT; name the directory that holds its config.ru and config/rmt.yml"
  end

  # RMT loads every directory in engines/ by its name, which is how a checkout of the gem gets
  # in without a change of its Gemfile.
  #
  # @return [void]
  # @raise [Error] when something else is in the way
  def link
    add(engine, PROJECT) unless bundled?
    @engines.each { |name, source| add(place(name), source) }
  end

  # Removes the links, where {#link} made them and nobody else uses them.
  #
  # @return [void]
  def unlink
    @links.each { |place, use| use.leave { File.unlink(place) } }
    @links.clear
  end

  # @return [String] where the gem is, when RMT's bundle does not bring it
  def engine
    place('rmt_rs')
  end

  # @return [Boolean] whether RMT's bundle brings the gem
  def bundled?
    lock = "#{ENV.fetch('BUNDLE_GEMFILE', File.join(@directory, 'Gemfile'))}.lock"
    File.file?(lock) && File.read(lock).match?(/^ +rmt_rs \(/)
  end

  # Makes RMT's tables with its own migrations, unless they are there.
  #
  # @param database [MysqlDatabase] that exists
  # @yield before it is done, which takes a while
  # @return [void]
  # @raise [Error] when it fails, or the database has other tables of that name
  def migrate(database)
    tables = database.tables
    return if (%w[schema_migrations systems] - tables).empty?

    if tables.include?('systems')
      raise Error, "the database #{database.name} has tables that RMT's migrations have not made; " \
                   'name another in HOST_DATABASE or DATABASE_URL'
    end

    yield if block_given?
    host = Host.new(database_url: database.url, rmt: @directory, log: File.join(PROJECT, 'tmp/log/migrate.log'))
    return if host.run('bundle', 'exec', 'rake', 'db:migrate')

    raise Error, "bundle exec rake db:migrate failed. The end of #{host.log}:\n#{Processes.last_lines(host.log)}"
  end

  private

  def place(name)
    File.join(File.realpath(@directory), 'engines', name)
  end

  def add(place, source)
    use = SharedUse.new(File.join(PROJECT, 'tmp/links', Digest::SHA256.hexdigest(place)[0, 12]))
    @links << [place, use]
    use.enter do
      next if File.exist?(place)
      raise Error, "#{place} points nowhere; remove it" if File.symlink?(place)

      FileUtils.mkdir_p(File.dirname(place))
      File.symlink(source, place)
      use.made!
    end
  end
end
