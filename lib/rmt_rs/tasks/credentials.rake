# frozen_string_literal: true

namespace :rmt_rs do
  namespace :credentials do
    run = lambda do |&work|
      require_relative '../credentials/conversion'
      $stdout.sync = true
      work.call(RmtRs::Credentials::Conversion.new($stdout))
    rescue RmtRs::Error, RmtRs::ConfigurationError, LoadError => e
      abort(e.message)
    rescue Interrupt
      exit(130)
    end

    desc 'Count the systems whose passwords are stored as they are, as hashes, as hashes of other parameters, and damaged'
    task status: :environment do
      run.call(&:status)
    end

    desc 'Store hashes in the place of all passwords that are stored as they are; cannot be undone; see docs/credentials.md'
    task hash: :environment do
      run.call { |conversion| exit(1) if conversion.hash_all.left.positive? }
    end
  end
end
