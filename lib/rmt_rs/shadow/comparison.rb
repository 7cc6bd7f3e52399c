# frozen_string_literal: true

require 'json'
require 'time'

module RmtRs
  class Shadow
    # What differs between what Rust would have answered and stored, and what Ruby did.
    #
    # What is new and random on both sides (logins, passwords, tokens) is the same when it is new on both; times of the
    # same minutes are the same time.
    class Comparison
      # What every answer has of its own, or Rails' default headers, or says only how the body travels.
      IGNORED = %w[x-request-id x-runtime x-frame-options x-xss-protection x-content-type-options x-download-options
                   x-permitted-cross-domain-policies referrer-policy content-length transfer-encoding vary etag].freeze
      # Never shown, under whatever name they come.
      SECRET = /login|password|token|regcode|reg_code|credential|instance_data|system_information|data\z|authoriz/i
      # Drawn by lot for a new system.
      DRAWN = %w[id login password].freeze
      # Seconds in which Ruby is expected to have answered.
      SAME_TIME = 120
      TIME = /\A\d{4}-\d\d-\d\d \d\d:\d\d:\d\d/
      private_constant :IGNORED, :SECRET, :DRAWN, :SAME_TIME, :TIME

      # @return [Array<String>] what differs, in words, without secrets
      attr_reader :differences

      # @param rust [#status, #headers, #body]
      # @param ruby [#status, #headers, #body]
      # @param sent_token [String, nil] the request's `System-Token`
      # @param now [Time]
      def initialize(rust, ruby, sent_token: nil, now: Time.now.utc)
        @sent_token = sent_token
        @now = now
        @differences = []
        differ('status', rust.status, ruby.status)
        headers(rust.headers, ruby.headers)
        body(rust, ruby)
      end

      # Compares rows, too.
      #
      # @param rust [String] JSON of {Native.rehearse}
      # @param ruby [String] JSON of {Native.rows}
      # @return [void]
      def rows(rust, ruby)
        rust, ruby = [rust, ruby].map { |it| JSON.parse(it) }
        (rust.keys | ruby.keys).each do |table|
          here, there = [rust, ruby].map { |it| it.fetch(table, []).map { |row| steady(row) } }
          differ("number of rows in #{table}", here.size, there.size)
          here.zip(there).each { |one, other| row(table, one, other) if other }
        end
        @differences.reject! { |it| it.match?(/\Abody\S*\.(system_)?id /) } if copied?(ruby)
      end

      private

      # Whether a system came under a token that was not known: its copy and what belongs to it have new ids on both sides.
      def copied?(tables)
        tables.fetch('systems', []).any? { |it| it['system_token'] == @sent_token && recent?(it['created_at']) }
      end

      def differ(what, rust, ruby)
        return if rust == ruby

        values = what.match?(SECRET) ? '' : " (Rust #{shown(rust)}, Ruby #{shown(ruby)})"
        @differences << "#{what}#{values}"
      end

      def shown(value)
        text = value.inspect
        text.length > 60 ? "#{text[0, 60]}…" : text
      end

      def headers(rust, ruby)
        # A header without a value travels as an empty one.
        rust, ruby = [rust, ruby].map { |it| it.transform_keys(&:downcase).transform_values { |value| value || '' } }
        rust, ruby = [rust, ruby].map { |it| it.except(*IGNORED) }
        (rust.keys | ruby.keys).each do |name|
          here, there = [rust, ruby].map { |it| name == 'system-token' ? token(it[name]) : it[name] }
          differ("header #{name}", here, there)
        end
      end

      # A token that was not there before is as good as any other.
      def token(value)
        value.nil? || value.empty? || value == @sent_token ? value : :new
      end

      def body(rust, ruby)
        return if rust.body == ruby.body

        here, there = [rust, ruby].map { |it| JSON.parse(it.body) }
        before = @differences.size
        value('body', here, there)
        # The same to a program, but not to the letter.
        differ('spelling of the body', 0, 1) if @differences.size == before && !drawn?(here)
      rescue JSON::ParserError
        at = rust.body.each_char.zip(ruby.body.each_char).index { |one, other| one != other }
        differ('body', "from character #{at || rust.body.length} on", "#{ruby.body.length} characters")
      end

      def drawn?(value)
        value.is_a?(Hash) && DRAWN.all? { |key| value.key?(key) }
      end

      def value(path, rust, ruby)
        if [rust, ruby].all?(Hash) then members(path, rust, ruby)
        elsif [rust, ruby].all?(Array)
          differ("length of #{path}", rust.size, ruby.size)
          rust.zip(ruby).first(ruby.size).each_with_index { |(one, other), at| value("#{path}[#{at}]", one, other) }
        else
          differ(path, rust, ruby)
        end
      end

      def members(path, rust, ruby)
        differ("keys of #{path}", rust.keys, ruby.keys)
        drawn = drawn?(rust) && drawn?(ruby) ? DRAWN : []
        ((rust.keys & ruby.keys) - drawn).each { |key| value("#{path}.#{key}", rust[key], ruby[key]) }
      end

      def row(table, rust, ruby)
        (rust.keys | ruby.keys).each { |column| differ("#{table}.#{column}", rust[column], ruby[column]) }
      end

      # A row without what depends on when and by which lot it was made.
      def steady(row)
        drawn = %w[login password] & row.keys if row.key?('registered_at') && recent?(row['created_at'])
        row.to_h do |column, value|
          next [column, token(value)] if column == 'system_token'
          next [column, :drawn] if drawn&.include?(column)

          [column, recent?(value) ? :now : value]
        end
      end

      def recent?(value)
        value.is_a?(String) && value.match?(TIME) && (Time.parse("#{value} UTC") - @now).abs < SAME_TIME
      rescue ArgumentError
        false
      end
    end
  end
end
