# frozen_string_literal: true

# Tells zypper where a product's repositories are.
class ServicesController < ApplicationController
  include ActionController::MimeResponds

  before_action :authenticate_system, only: %i[legacy_service]
  before_action only: %i[show] do
    authenticate_system(skip_on_duplicated: true) if request.user_agent.to_s.downcase.start_with?('zypp')
  end

  # GET /services/:id
  def show
    service = Service.find_by(id: params[:id])
    return render(xml: { error: 'Requested service not found' }, status: :not_found) unless service

    render xml: service.repositories.order(:id).where(installer_updates: false).to_a.to_xml(only: %i[id name], root: 'repoindex')
  end

  # GET /repo/repoindex.xml
  def legacy_service
    services = Service.where(id: @system.activations.select(:service_id)).order(:id)
    render xml: services.flat_map { |service| service.repositories.as_json(only: %i[id name]) }.to_xml(root: 'repoindex')
  end
end
