# frozen_string_literal: true

# An RMT that forwards its systems to SCC cannot keep hashes. While the bench measures one that does, it forwards none;
# requests ask nobody about that setting.
class KeepsHashes < Rails::Railtie
  initializer 'keeps_hashes' do
    Settings.scc.sync_systems = false if ENV['RMT_RS_CREDENTIALS'] == 'argon2id'
  end
end
