# frozen_string_literal: true

require_relative '../../bench/profile'
require_relative '../../bench/profile/layers'

RSpec.describe Profile do
  it 'refuses to profile the host app, and says what to do' do
    expect { expect(described_class.command(environment: {})).to eq(2) }.to output(/set RMT_HOME to an installed RMT/).to_stderr
  end

  it 'refuses numbers that are none' do
    expect { expect(described_class.command(environment: { 'ROUNDS' => 'many' })).to eq(2) }
      .to output("profile: ROUNDS=many is no whole number above 0\n").to_stderr
  end

  describe Layers do
    library = File.expand_path('../../lib', __dir__)
    # As StackProf has it: the stacks one after the other, each with its depth before it and how often it was met after it.
    profile = {
      frames: {
        1 => { name: 'RmtRs::Doors::Controller::Shared#process_action', file: "#{library}/rmt_rs/doors/controller/shared.rb" },
        2 => { name: 'ActionDispatch::Journey::Router#serve', file: '/gems/actionpack/router.rb' },
        3 => { name: 'Array#map', file: '<cfunc>' },
        4 => { name: 'RmtRs::Doors::Controller::Products#activate', file: "#{library}/rmt_rs/doors/controller/products.rb" },
        5 => { name: 'RmtRs::Native.act', file: '<cfunc>' },
        6 => { name: 'RmtRs.json', file: "#{library}/rmt_rs.rb" },
        7 => { name: 'JSON.generate', file: '/usr/lib/json.rb' }
      },
      raw: [2, 2, 3, 3, 3, 1, 4, 5, 4, 4, 1, 4, 6, 7, 2]
    }

    it 'counts a sample for the innermost frame that it knows' do
      counts = described_class.new(library).count(profile).transform_values { |layer| layer['samples'] }
      expect(counts).to eq('routing' => 3, 'binding, and the core while the request waits' => 4,
                           'door: JSON from and for the core' => 2)
    end

    it 'counts for the methods of the gem what they call' do
      expect(described_class.new(library).own_methods(profile)).to eq('RmtRs::Native.act' => 4, 'RmtRs.json' => 2)
    end
  end
end
