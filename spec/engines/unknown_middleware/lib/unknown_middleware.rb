# frozen_string_literal: true

# A middleware that changes every answer.
class UnknownMiddleware
  # Puts it into the application's stack.
  class Engine < ::Rails::Engine
    initializer 'unknown_middleware' do |app|
      ENV['UNKNOWN_IS_LAST'] ? app.middleware.use(UnknownMiddleware) : app.middleware.insert_after(Rack::Head, UnknownMiddleware)
    end
  end

  def initialize(app)
    @app = app
  end

  def call(env)
    status, headers, body = @app.call(env)
    [status, headers.merge('X-Passed' => 'yes'), body]
  end
end
