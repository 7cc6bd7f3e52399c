# frozen_string_literal: true

# A registered machine.
class System < ApplicationRecord
  has_many :system_profiles, dependent: :destroy
  has_many :profiles, through: :system_profiles
  has_many :activations, dependent: :delete_all
  has_many :system_uptimes, dependent: :destroy

  after_initialize :assign_credentials, if: :new_record?

  validates :system_token, uniqueness: { scope: %i[login password], case_sensitive: false }

  # Several machines may share credentials, copies of each other.
  #
  # @param login [String]
  # @param password [String]
  # @return [ActiveRecord::Relation<System>] the oldest first
  def self.get_by_credentials(login, password)
    where(login: login, password: password).order(:id)
  end

  # @return [Hash] what the machine is told about itself
  def credentials
    { id: id, login: login, password: password, last_seen_at: last_seen_at }
  end

  private

  def assign_credentials
    self.login ||= unused_login
    self.password ||= SecureRandom.hex(8)
    self.registered_at ||= Time.zone.now
  end

  # Clients tell credentials of this kind of server by the prefix.
  def unused_login
    loop do
      candidate = "SCC_#{SecureRandom.hex(16)}"
      return candidate unless self.class.exists?(login: candidate)
    end
  end
end
