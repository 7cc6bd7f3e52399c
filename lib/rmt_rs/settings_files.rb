# frozen_string_literal: true

require 'date'
require 'erb'
require 'yaml'
require_relative 'errors'

module RmtRs
  # The files that RMT reads its settings from, read for this gem's section alone: RMT's own settings stay as they were at
  # boot.
  module SettingsFiles
    module_function

    # @return [Array<String>] the later one's settings go before the earlier's; empty where they are not known
    def paths
      defined?(::RMT::Config::CONFIG_FILES) ? ::RMT::Config::CONFIG_FILES.map(&:to_s) : []
    end

    # @return [Hash{String => Object}] what stands under `rmt_rs:`
    # @raise [ConfigurationError] for a section that is none, or a file that is no YAML
    def section
      sections = paths.select { |path| File.readable?(path) }.map { |path| section_of(read(path)) }
      sections.reduce({}, :merge)
    end

    # As the gem `config` does for RMT.
    def read(path)
      YAML.safe_load(ERB.new(File.read(path)).result, permitted_classes: [Symbol, Date, Time], aliases: true)
    rescue YAML::Exception, SystemCallError => e
      raise ConfigurationError, "rmt_rs: the settings cannot be read: #{e.message}"
    end

    def section_of(content)
      section = content.is_a?(Hash) ? content['rmt_rs'] : nil
      return section.to_h.compact if section.nil? || section.is_a?(Hash)

      raise ConfigurationError, "rmt_rs: #{section.inspect}: allowed are keys with values, such as door: controller"
    end
    private_class_method :read, :section_of
  end
end
