# frozen_string_literal: true

require 'yabeda/prometheus'

# Shows Yabeda's metrics in the format of Prometheus, as an RMT in development does.
module ShowsMetrics
  # Has a route for them.
  class Engine < ::Rails::Engine
    initializer 'shows_metrics' do |app|
      app.routes.append { mount Yabeda::Prometheus::Exporter, at: '/metrics' }
    end
  end
end
