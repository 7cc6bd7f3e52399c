# frozen_string_literal: true

# The hours of a day in which a system was online.
class SystemUptime < ApplicationRecord
  belongs_to :system
end
