# frozen_string_literal: true

require 'tmpdir'
require_relative 'binding/memcheck'

# What counts of a report of valgrind's.
RSpec.describe Torture::Memcheck do
  def error(kind, *objects)
    frames = objects.map { |object| "<frame><obj>#{object}</obj><fn>of_#{File.basename(object, '.so')}</fn></frame>" }.join
    "<error>\n<kind>#{kind}</kind>\n<what>#{kind} of it</what>\n<stack>#{frames}</stack>\n</error>\n"
  end

  def memcheck(*errors)
    Dir.mktmpdir do |directory|
      File.write(library = File.join(directory, 'rmt_rs.so'), '')
      counts = '<suppcounts><pair><count>3</count></pair><pair><count>4</count></pair></suppcounts>'
      text = errors.map { |kind, *objects| error(kind, *objects.map { |it| it == :library ? File.realpath(library) : it }) }.join
      File.write(File.join(directory, 'memcheck.xml'), "<valgrindoutput>#{text}#{counts}</valgrindoutput>")
      memcheck = described_class.new(library, directory)
      [memcheck.findings, memcheck.suppressed]
    end
  end

  it 'counts what the library has asked for and lost, and every wrong access' do
    allocator = '/usr/libexec/valgrind/vgpreload_memcheck-amd64-linux.so'
    ruby = '/usr/lib/libruby-3.1.so'
    lost = 'Leak_DefinitelyLost'
    findings, suppressed = memcheck([lost, allocator, ruby, ruby], [lost, allocator, ruby, :library],
                                    [lost, allocator, :library, ruby], ['InvalidRead', ruby, ruby])
    expect(findings.map { |finding| finding.lines.first.strip }).to eq(%w[Leak_DefinitelyLost InvalidRead])
    expect(findings.first).to include('of_vgpreload_memcheck-amd64-linux', 'of_rmt_rs')
    expect(suppressed).to eq(7)
  end
end
