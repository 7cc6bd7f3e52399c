# frozen_string_literal: true

require 'open3'
require_relative '../../spec/support/processes'

module Comparison
  # Draws what numbers say, as SVG, with gnuplot.
  #
  # @example
  #   Pictures.new('tmp').latency('latency', 'off' => [{ 50 => 21.0, 99 => 80.2 }])
  class Pictures
    # gnuplot is missing or could not draw.
    class Error < StandardError; end

    # A line of points. `dashed` tells failures from successes.
    Line = Struct.new(:door, :title, :points, :dashed, keyword_init: true)

    COLOURS = { 'off' => '#b3312c', 'controller' => '#2b6cb0', 'rack' => '#2f855a' }.freeze
    OTHER_COLOUR = '#555555'
    WIDTH = 860
    # Labels of the axis of percentiles.
    SHARES = [0, 50, 90, 99, 99.9].freeze
    private_constant :COLOURS, :OTHER_COLOUR, :WIDTH, :SHARES

    # @return [String] path of gnuplot
    # @raise [Error] when there is none
    def self.program
      ENV.fetch('PATH', '').split(':').map { |directory| File.join(directory, 'gnuplot') }
         .find { |path| File.executable?(path) && File.file?(path) } ||
        raise(Error, 'gnuplot, which draws the pictures, was not found: run bin/setup, which installs it')
    end

    # @param door [String]
    # @return [String] for people
    def self.name_of(door)
      door == 'off' ? 'Ruby (door off)' : "Rust (door #{door})"
    end

    # @param directory [String] that exists
    def initialize(directory)
      @directory = directory
    end

    # How long requests take: the share of them that take at most as long.
    #
    # @param name [String] of the file, without extension
    # @param doors [Hash{String => Array<Hash{Numeric => Float}>}] milliseconds by percentile, for each round
    # @return [String] the file's name
    def latency(name, doors)
      lines = lines_of(doors) { |percentiles| percentiles.sort.map { |share, time| [nines(share), [time, 0.01].max] } }
      ticks = SHARES.map { |share| "'#{share} %%' #{nines(share)}" }.join(', ')
      draw(name, 420, <<~GNUPLOT, [['', lines]])
        set logscale y
        set xtics (#{ticks})
        set xlabel 'share of the requests'
        set ylabel 'answered within … ms'
      GNUPLOT
    end

    # What a rate of arrivals comes to.
    #
    # @param doors [Hash{String => Array<Array<Hash>>}] steps (`offered`, `completed`, `p95`) of each round
    # @param limit [Numeric] milliseconds that 95 of 100 requests are to stay below
    # @return [String] the file's name
    def capacity(name, doors, limit)
      completed, latency = %i[completed p95].map do |figure|
        lines_of(doors) { |steps| steps.filter_map { |step| [step[:offered], step[figure]] if step[figure] } }
      end
      last = completed.flat_map(&:points).map(&:first).max || 1
      all = Line.new(door: nil, title: 'all that arrive', points: [[0, 0], [last, last]], dashed: true)
      draw(name, 640, <<~GNUPLOT, [["set ylabel 'registrations completed per second'", [all, *completed]], [<<~LATENCY, latency]])
        set xlabel 'registrations arriving per second'
        set xrange [0:#{last}]
      GNUPLOT
        set logscale y
        set ylabel '95 of 100 requests within … ms'
        set arrow from 0,#{limit} to #{last},#{limit} nohead dashtype 3 linecolor rgb '#{OTHER_COLOUR}'
        unset key
      LATENCY
    end

    # What a worker needs.
    #
    # @param doors [Hash{String => Array<Array(Numeric, Float)>}] registrations and megabytes, for each round
    # @return [String] the file's name
    def memory(name, doors)
      draw(name, 420, <<~GNUPLOT, [['', lines_of(doors) { |points| points }]])
        set xlabel 'registrations'
        set ylabel 'MB (RSS) of the largest worker'
        set xrange [0:*]
        set yrange [0:*]
      GNUPLOT
    end

    # What becomes of instances that arrive together.
    #
    # @param doors [Hash{String => Array<Hash>}] for each round, `registered` and `failed`: seconds and how many until then
    # @param arrived [Array<Array(Float, Integer)>] likewise
    # @return [String] the file's name
    def herd(name, doors, arrived)
      lines = [Line.new(door: nil, title: 'arrived', points: arrived, dashed: false),
               *lines_of(doors, 'registered') { |timeline| timeline[:registered] },
               *lines_of(doors, 'given up', dashed: true) { |timeline| timeline[:failed] }]
      draw(name, 420, <<~GNUPLOT, [['', lines.reject { |line| line.points.size < 2 }]])
        set xlabel 'seconds since the first arrival'
        set ylabel 'instances'
        set xrange [0:*]
        set yrange [0:*]
      GNUPLOT
    end

    private

    # A line for each door and round, one name for each door.
    def lines_of(doors, what = nil, dashed: false)
      doors.flat_map do |door, rounds|
        rounds.each_with_index.map do |round, index|
          title = [self.class.name_of(door), what].compact.join(', ') if index.zero?
          Line.new(door: door, title: title, points: yield(round), dashed: dashed)
        end
      end
    end

    # @param panels [Array<Array(String, Array<Line>)>] one below the other
    def draw(name, height, settings, panels)
      file = "#{name}.svg"
      script = <<~GNUPLOT
        set terminal svg size #{WIDTH},#{height} font 'sans-serif,13' background rgb 'white'
        set encoding utf8
        set output '#{file}'
        set border 3
        set lmargin 12
        set rmargin 3
        set key above Left reverse
        set tics nomirror
        set grid linecolor rgb '#e5e5e5'
        #{settings}
        set multiplot layout #{panels.size},1
        #{panels.map { |own, lines| "#{own}\n#{plot(lines)}" }.join("\n")}
        unset multiplot
      GNUPLOT
      run(script)
      file
    end

    def plot(lines)
      return '' if lines.all? { |line| line.points.empty? }

      lines = lines.reject { |line| line.points.empty? }
      styles = lines.map { |line| "'-' using 1:2 with lines #{style(line)}" }
      data = lines.map { |line| "#{line.points.map { |point| point.map { |it| it.round(4) }.join(' ') }.join("\n")}\ne\n" }
      "plot #{styles.join(', ')}\n#{data.join}"
    end

    def style(line)
      title = line.title ? "title '#{line.title}'" : 'notitle'
      "#{title} linewidth 2 #{'dashtype 2 ' if line.dashed}linecolor rgb '#{COLOURS.fetch(line.door, OTHER_COLOUR)}'"
    end

    # 0 for the median's half … 1 for 90 of 100, 2 for 99, 3 for 99.9.
    def nines(share)
      -Math.log10(1 - (share / 100.0))
    end

    # Neither the user's settings nor the locale's commas.
    def run(script)
      output, status = Open3.capture2e({ 'LC_ALL' => 'C.UTF-8' }, self.class.program, '--default-settings', '-',
                                       stdin_data: script, chdir: @directory)
      raise Error, "gnuplot could not draw:\n#{output}" unless status.success?
    end
  end
end
