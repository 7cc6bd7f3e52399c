# frozen_string_literal: true

module Property
  class Model
    # What concerns a product: activating, showing, upgrading and leaving it, and listing what is active.
    module Products
      REQUIRED = %w[identifier version arch].freeze

      private

      def activate
        authenticate
        product = find_product
        check_repositories(product)
        subscription = find_subscription(product)
        check_bases(product)
        put_activation(@catalog.service(product), subscription || carried_over(product))
        rotate_token
        answer(201, :service, service_facts(product))
      end

      def show
        authenticate
        product = find_product
        check_repositories(product)
        check_bases(product)
        unless activated?(product) || read_from_micro?(product)
          refuse("The requested product '#{@catalog.friendly_name(product)}' is not activated on this system.")
        end
        answer(200, :product, product_facts(product))
      end

      def upgrade
        authenticate
        product = find_product
        subscription = find_subscription(product)
        check_bases(product)
        leave_open unless @catalog.service(product)
        old = relatives(product)
        subscription ||= carried_over(product)
        obsoleted = old.first && @catalog.service_name(@catalog.product_of(old.first['service_id']))
        @world.remove(old)
        @world.activate(@system, @catalog.service(product), subscription)
        rotate_token
        answer(201, :service, service_facts(product).merge('obsoleted_service_name' => obsoleted.to_s))
      end

      def destroy
        authenticate
        product = find_product
        check_leaving(product)
        @world.remove([@world.activation(@system, @catalog.service(product))])
        @world.changed(@system)
        rotate_token
        answer(200, :service, service_facts(product))
      end

      def check_leaving(product)
        name = product['name']
        refuse(%(The product "#{name}" is a base product and cannot be deactivated)) if product['product_type'] == 'base'
        if @catalog.extensions(product).any? { activated?(_1) }
          refuse(%(Cannot deactivate the product "#{name}". Other activated products depend upon it.))
        end
        refuse("#{name} is not yet activated on the system.") unless activated?(product)
      end

      def synchronize
        authenticate
        list = @parameters['products']
        refuse_as_rails(400, BAD_REQUEST) if list.nil? || list == [] || list == ''
        leave_open unless list.is_a?(Array) && list.all? { |wanted| product_like?(wanted) }
        wanted = list.filter_map { |one| @catalog.product(one) }.uniq
        leave_all_but(wanted)
        rotate_token
        answer(200, :products, wanted.select { activated?(_1) }.map { product_facts(_1) }.sort_by { _1['id'] })
      end

      def leave_all_but(products)
        extra = @world.activations_of(@system).reject { |row| products.any? { @catalog.service(_1) == row['service_id'] } }
        @world.remove(extra)
        @world.changed(@system) if extra.any?
      end

      def product_like?(wanted)
        wanted.is_a?(Hash) && REQUIRED.all? { |key| Parameters.storable?(wanted[key]) }
      end

      def activations
        authenticate
        listed = @world.activations_of(@system).map do |row|
          { 'id' => row['id'], 'system_id' => row['system_id'],
            'service' => service_facts(@catalog.product_of(row['service_id'])) }
        end
        answer(200, :activations, listed.sort_by { _1['service']['id'] })
      end

      # Nobody but zypper has to say who it is.
      def service
        authenticate(skip_on_duplicated: true) if @caller.zypper?
        id = @path[/\d+\z/].to_i
        return answer(404) unless @catalog.product_of(id)

        names = @catalog.repositories(id).reject { _1['installer_updates'] == 1 }.map { _1['name'] }
        answer(200, :repoindex, names.sort)
      end

      def find_product
        missing = REQUIRED.reject { |key| @parameters.key?(key) }
        refuse("Required parameters are missing or empty: #{missing.join(', ')}") if missing.any?
        leave_open unless @parameters.storable?(*REQUIRED)
        @catalog.product(@parameters.slice(*REQUIRED)) || refuse('No product found')
      end

      def check_repositories(product)
        name = @catalog.friendly_name(product)
        refuse("No repositories found for product: #{name}") unless @catalog.service(product)
        missing = @catalog.not_mirrored(product).join(', ')
        return if missing.empty?

        refuse("Not all mandatory repositories are mirrored for product #{name}. Missing Repositories (by ids): #{missing}. On " \
               "the RMT server, the missing repositories can be enabled with: rmt-cli repos enable #{missing};  rmt-cli mirror")
      end

      def find_subscription(product)
        code = @parameters['token']
        leave_open unless Parameters.storable?(code)
        return if code.to_s.strip.empty?

        subscription = @catalog.subscription(code) || refuse('No subscription found with this registration code')
        expiry = subscription['expires_at']
        refuse('The subscription with the provided Registration Code is expired') if expiry && expiry < Date.today.to_time
        unless @catalog.includes?(subscription, product)
          refuse('The subscription with the provided Registration Code does not include the requested product ' \
                 "'#{@catalog.friendly_name(product)}'")
        end
        subscription['id']
      end

      def check_bases(product)
        bases = @catalog.bases(product)
        return if product['product_type'] == 'base' || bases.any? { _1['product_type'] == 'extension' }

        name = @catalog.friendly_name(product)
        if bases.none? { activated?(_1) }
          refuse("The product you are attempting to activate (#{name}) requires one of these products to be activated first: " +
                 bases.map { @catalog.friendly_name(_1) }.join(', '))
        end
        check_roots(product, name)
      end

      def check_roots(product, name)
        roots = @catalog.roots(product)
        return if roots.any? { activated?(_1) }

        own = @world.activations_of(@system).map { @catalog.product_of(_1['service_id']) }
                    .select { _1['product_type'] == 'base' }
        leave_open if own.empty? # the reference has none to name
        offered = roots.map { @catalog.friendly_name(_1) }.join(', ')
        @choice = own.size > 1
        refuse(OneOf.new(own.map { |base| not_available(name, @catalog.friendly_name(base), offered) }))
      end

      def not_available(name, base, offered)
        "The product you are attempting to activate (#{name}) is not available on your system's base product (#{base}). " \
          "#{name} is available on #{offered}."
      end

      def activated?(product)
        service = @catalog.service(product)
        service && @world.activation(@system, service)
      end

      def read_from_micro?(product)
        Catalog.alike?(product['identifier'], 'SLES') && @world.activations_of(@system).any? do |row|
          own = @catalog.product_of(row['service_id'])
          own['identifier'].downcase.include?('micro') && own['arch'] == product['arch']
        end
      end

      # The activations of the product, its predecessors and its successors, the oldest first.
      def relatives(product)
        @world.activations_of(@system).select { |row| @catalog.family(product).include?(row['service_id']) }
      end

      # Which one it is when they differ nobody has decided.
      def carried_over(product)
        subscriptions = relatives(product).map { |row| row['subscription_id'] }.uniq
        return subscriptions.first if subscriptions.size < 2

        @choice = true
        OneOf.new(subscriptions)
      end

      def put_activation(service, subscription)
        activation = @world.activation(@system, service)
        return @world.activate(@system, service, subscription) unless activation

        leave_open if subscription.is_a?(OneOf)
        return if subscription.nil? || activation['subscription_id'] == subscription

        activation.merge!('subscription_id' => subscription, 'updated_at' => RECENTLY)
        @world.changed(@system)
      end

      def service_facts(product)
        { 'id' => @catalog.service(product), 'name' => @catalog.service_name(product), 'obsoleted_service_name' => '',
          'product' => product_facts(product) }
      end

      def product_facts(product)
        { 'id' => product['id'], 'tree' => @catalog.tree(product).sort }
      end
    end
  end
end
