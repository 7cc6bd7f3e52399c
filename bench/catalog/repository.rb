# frozen_string_literal: true

class Catalog
  # A repository of a product, mirrored.
  Repository = Struct.new(:id, :product, :kind, keyword_init: true) do
    # @return [String]
    def name
      "#{product.identifier}#{product.group.release}-#{kind}"
    end

    # @return [String] where it is mirrored to
    def path
      where = kind.end_with?('Pool') ? 'Products' : 'Updates'
      "/SUSE/#{where}/#{product.identifier}/#{product.group.release}/#{product.group.arch}/#{kind.downcase}/"
    end

    # @param time [String] when it was mirrored
    # @return [Array<String, Integer>] its row, by {COLUMNS}
    def columns(time)
      [id, 100_000 + id, name, "#{name} for sle-15-#{product.group.arch}", %w[Pool Updates].include?(kind) ? 1 : 0,
       kind.end_with?('Pool') ? 0 : 1, "https://updates.suse.com#{path}", kind == 'Installer-Updates' ? 1 : 0, 1, path, time,
       (100_000 + id).to_s]
    end
  end

  class Repository
    COLUMNS = %w[id scc_id name description enabled autorefresh external_url installer_updates mirroring_enabled local_path
                 last_mirrored_at friendly_id].freeze
    # Of base products, and of all others.
    KINDS = {
      true => %w[Pool Updates Installer-Updates Debuginfo-Pool Debuginfo-Updates].freeze,
      false => %w[Pool Updates Debuginfo-Pool Debuginfo-Updates Source-Pool].freeze
    }.freeze
  end
end
