# frozen_string_literal: true

module RmtRs
  # Health on a port of its own: a request for it on Puma's port waits for a thread like any other.
  #
  # Each process of Puma's that serves requests listens, on the same address, with a thread that needs neither Ruby nor the
  # database; the kernel chooses among them.
  module HealthPort
    # Stands before `Puma::Server#run`, with which a process begins to serve, however Puma was started.
    module Server
      # @return [Thread] Puma's
      def run(*, **options)
        # Puma has its own control served like this, too.
        HealthPort.listen unless options[:thread_name] == 'ctl'
        super
      end
    end

    class << self
      # @param address [String, nil] `127.0.0.1:4225`; nothing happens without
      # @return [void]
      def install(address)
        return unless address && defined?(::Puma::Server)

        @address = address
        ::Puma::Server.prepend(Server)
      end

      # Listens from this process, once. Where that cannot be, the log says why, and requests are served all the same.
      #
      # @return [void]
      def listen
        return unless RmtRs.on?

        Native.listen(@address)
        RmtRs.logger&.info("rmt_rs: health is answered on #{@address}, too")
      rescue Error => e
        RmtRs.logger&.error("rmt_rs: #{e.message}")
      end
    end
  end
end
