# frozen_string_literal: true

# A set of hardware data that many systems share, stored once.
class Profile < ApplicationRecord
  has_many :system_profiles, dependent: :restrict_with_exception
  has_many :systems, through: :system_profiles

  validates :profile_type, :identifier, :data, presence: true

  class << self
    # Tells profiles that can be stored from those that lack their data or their identifier.
    #
    # @param profiles [Hash{String => Hash}] profiles by their type
    # @return [Array(Hash, Hash)] the complete ones and the rest
    def split(profiles)
      profiles.partition { |_type, profile| complete?(profile) }.map(&:to_h)
    end

    # Finds or creates profiles.
    #
    # @param profiles [Hash{String => Hash}] complete profiles by their type
    # @return [Array<Profile>]
    # @raise [ActiveRecord::RecordInvalid] when a new one has no data
    def store(profiles)
      profiles.map { |type, profile| store_one(type, profile) }.uniq
    end

    private

    def complete?(profile)
      profile.is_a?(Hash) && profile['identifier'].present? && profile.key?('data')
    end

    # Another announcement may create the same profile between the look and the leap. The second
    # look locks, for only a locking read sees what was committed after a transaction began.
    def store_one(type, profile)
      known = where(profile_type: type, identifier: profile['identifier'])
      known.first || known.create!(data: profile['data'])
    rescue ActiveRecord::RecordNotUnique
      known.lock('LOCK IN SHARE MODE').first!
    end
  end
end
