# frozen_string_literal: true

# What can be used.
class Product < ApplicationRecord
  has_one :service
end
