# frozen_string_literal: true

# Stands for SUSE's engine of that name, which sends passwords of systems to SCC.
module SccProxy
  class Engine < Rails::Engine; end
end
