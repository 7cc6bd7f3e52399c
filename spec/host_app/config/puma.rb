# frozen_string_literal: true

environment ENV.fetch('RAILS_ENV', 'production')
bind "tcp://127.0.0.1:#{ENV.fetch('PORT', '4224')}"

threads_count = Integer(ENV.fetch('RAILS_MAX_THREADS', '5'))
threads threads_count, threads_count

# Preloading is what Puma 6 does by itself with several workers.
workers Integer(ENV.fetch('WEB_CONCURRENCY', '2'))
preload_app! ENV.fetch('PRELOAD_APP', '1') == '1'
# Without it a worker accepts only what it has a thread for, and so loses nothing when it ends.
queue_requests ENV.fetch('QUEUE_REQUESTS', '1') == '1'
