# frozen_string_literal: true

# A system has a profile.
class SystemProfile < ApplicationRecord
  belongs_to :system
  belongs_to :profile
end
