# frozen_string_literal: true

# Puma alone: what it loses with this application, it loses with any. It answers what a machine that announces itself expects.
run(lambda do |env|
  status = env['REQUEST_METHOD'] == 'POST' ? 201 : 200
  [status, { 'Content-Type' => 'application/json' }, ['{"id":1,"login":"SCC_bare","password":"bare"}']]
end)
