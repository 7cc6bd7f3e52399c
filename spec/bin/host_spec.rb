# frozen_string_literal: true

require 'net/http'

RSpec.describe 'bin/host' do
  def start(*arguments)
    output, writer = IO.pipe
    pid = Process.spawn({ 'HOST_DATABASE' => 'rmt_rs_host_spec' }, File.join(Host::PROJECT, 'bin/host'), *arguments,
                        out: writer, err: File::NULL)
    writer.close
    [pid, output]
  end

  it 'says in one line where it serves, and leaves nothing running' do
    pid, output = start('--door', 'controller')
    line = output.gets
    server = '127\.0\.0\.1:\d+'
    expect(line).to match(%r{\Aready http://#{server} database mysql://\w+:\w+@#{server}/rmt_rs_host_spec door controller$})
    url, database = line.split.values_at(1, 3)

    answer = Net::HTTP.post(URI("#{url}/connect/subscriptions/systems"), '{"hostname":"hosted"}',
                            'Content-Type' => 'application/json')
    expect(answer.code).to eq('201')
    MysqlDatabase.new(database).with_client do |sql|
      expect(sql.query('SELECT hostname FROM systems ORDER BY id DESC LIMIT 1').first).to eq('hostname' => 'hosted')
    end
    family = Processes.children(pid).flat_map { |child| [child, *Processes.children(child)] }
    expect(family).not_to be_empty

    Process.kill(:TERM, pid)
    expect(Process.wait2(pid).last.exitstatus).to eq(0)
    expect(output.read).to eq('')
    expect(family.select { |process| Processes.alive?(process) }).to be_empty
  end

  it 'refuses what it cannot do before anything starts' do
    taken = TCPServer.new('127.0.0.1', 0)
    [%w[--door window], %w[--rmt /nowhere], ['--port', taken.addr[1].to_s], %w[--unknown]].each do |wrong|
      pid, output = start(*wrong)
      expect([Process.wait2(pid).last.exitstatus, output.read]).to eq([2, '']), wrong.join(' ')
    end
  ensure
    taken&.close
  end
end
