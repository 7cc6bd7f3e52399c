# frozen_string_literal: true

namespace :rmt_rs do
  desc 'Say what keeps the Rust core from its work, and what mends it; fails when something has to be mended'
  task doctor: :environment do
    require_relative '../doctor'
    exit(1) unless RmtRs::Doctor.new(Rails.application).run
  end
end
