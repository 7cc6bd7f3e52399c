# frozen_string_literal: true

namespace :rmt_rs do
  namespace :shadow do
    desc 'What came of the requests that Ruby has answered and Rust has rehearsed (`shadow`)'
    task report: :environment do
      require_relative '../shadow'
      puts RmtRs::Shadow::Summary.new(RmtRs::Shadow::Ledger.report(RmtRs::Shadow::Ledger.directory(Rails.application)))
    end

    desc 'Forget what was compared so far'
    task clear: :environment do
      require_relative '../shadow'
      RmtRs::Shadow::Ledger.clear(RmtRs::Shadow::Ledger.directory(Rails.application))
      puts 'rmt_rs: what was compared so far is forgotten. Processes that run go on counting from what they had'
    end
  end
end
