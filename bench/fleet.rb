# frozen_string_literal: true

require 'json'

# Systems that registered some time ago, with the base product and modules that a client activates.
# Who they are follows from their numbers, so that bench/k6/keepalive.js can speak for them.
#
# @example
#   Fleet.new(catalog.bases, 20_000).load(database)
class Fleet
  # What they said of themselves with their last request, as instance.js does.
  USER_AGENT = 'SUSEConnect/1.21.0'
  BATCH = 500
  YESTERDAY = 'UTC_TIMESTAMP() - INTERVAL 1 DAY'
  private_constant :BATCH, :YESTERDAY

  # @param bases [Array<Catalog::Product>] base products, dealt out in turn
  # @param size [Integer]
  def initialize(bases, size)
    @bases = bases
    @size = size
  end

  # @param database [MysqlDatabase] whose tables `systems` and `activations` are empty
  # @return [void]
  def load(database)
    database.with_client do |sql|
      sql.query('START TRANSACTION')
      (0...@size).each_slice(BATCH) { |numbers| insert(sql, numbers) }
      sql.query('COMMIT')
      sql.query('ANALYZE TABLE systems, activations').to_a
    end
  end

  private

  def insert(sql, numbers)
    sql.query('INSERT INTO systems (id, login, password, system_token, hostname, system_information, registered_at, ' \
              'last_seen_at, scc_registered_at, created_at, updated_at) VALUES ' +
              numbers.map { |number| "(#{system(number)})" }.join(','))
    rows = numbers.flat_map do |number|
      base(number).service_ids.map { |service| "(#{number + 1}, #{service}, #{YESTERDAY}, #{YESTERDAY})" }
    end
    sql.query("INSERT INTO activations (system_id, service_id, created_at, updated_at) VALUES #{rows.join(',')}")
  end

  def system(number)
    texts = ["SCC_#{digits(number, 32)}", digits(number, 16), uuid(number), "instance-#{number}",
             JSON.generate(information(number))]
    [number + 1, *texts.map { |text| "'#{text}'" }, *[YESTERDAY] * 5].join(',')
  end

  def information(number)
    { cpus: 4, sockets: 1, hypervisor: 'KVM', arch: base(number).group.arch,
      uuid: uuid(number), cloud_provider: 'amazon', mem_total: 16_384, user_agent: USER_AGENT }
  end

  def base(number)
    @bases[number % @bases.size]
  end

  def uuid(number)
    "00000000-0000-4000-8000-#{digits(number, 12)}"
  end

  def digits(number, length)
    number.to_s.rjust(length, '0')
  end
end
