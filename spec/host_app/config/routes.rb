# frozen_string_literal: true

# Version 3 of the API is asked for by name, everything else is served by version 4.
asks_for_v3 = lambda do |request|
  request.headers['Accept'].to_s.include?('application/vnd.scc.suse.com.v3+json')
end

Rails.application.routes.draw do
  namespace :connect, module: 'api/connect', defaults: { format: 'json' } do
    scope module: :v3, constraints: asks_for_v3 do
      post 'subscriptions/systems', to: 'subscriptions/systems#announce_system'
      put 'systems', to: 'systems/systems#update'
      delete 'systems', to: 'systems/systems#deregister'
      get 'systems/activations', to: 'systems/activations#index'
      get 'systems/products', to: 'systems/products#show'
      post 'systems/products', to: 'systems/products#activate'
      put 'systems/products', to: 'systems/products#upgrade'
    end

    scope module: :v4, constraints: ->(request) { !asks_for_v3.call(request) } do
      post 'subscriptions/systems', to: 'subscriptions/systems#announce_system'
      put 'systems', to: 'systems/systems#update'
      delete 'systems', to: 'systems/systems#deregister'
      get 'systems/activations', to: 'systems/activations#index'
      get 'systems/products', to: 'systems/products#show'
      post 'systems/products', to: 'systems/products#activate'
      put 'systems/products', to: 'systems/products#upgrade'
      delete 'systems/products', to: 'systems/products#destroy'
      post 'systems/products/synchronize', to: 'systems/products#synchronize'
      get 'subscriptions/products', to: 'subscriptions/products#index'
      get 'repositories/installer', to: 'repositories/installer#index'
    end
  end

  get '/services/:id', to: 'services#show'
  get '/services/:id/repo/repoindex.xml', to: 'services#show'
  get '/repo/repoindex.xml', to: 'services#legacy_service'
  get '/api/health/status', to: 'api/health#status'
end
